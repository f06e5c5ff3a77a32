// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "LeverChat",
    platforms: [.iOS(.v17)],
    products: [.library(name: "LeverChat", targets: ["LeverChat"])],
    targets: [
        // gomobile bind makes it; see README.md.
        .binaryTarget(name: "Mobile", path: "Mobile.xcframework"),
        .target(name: "LeverChat", dependencies: ["Mobile"], linkerSettings: [.linkedLibrary("resolv")]),
    ]
)
