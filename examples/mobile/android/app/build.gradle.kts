plugins {
    id("com.android.application")
}

android {
    namespace = "example.lever"
    compileSdk = 36
    defaultConfig {
        applicationId = "example.lever"
        minSdk = 29
        targetSdk = 36
        versionCode = 1
        versionName = "1"
        ndk { abiFilters += "arm64-v8a" }
    }
}

dependencies {
    implementation(files("libs/lever.aar")) // gomobile bind makes it; see README.md
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
}
