plugins {
    id("com.android.application") version "9.1.0" apply false // brings Kotlin; needs Gradle 9.3.1
}
