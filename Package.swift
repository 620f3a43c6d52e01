// swift-tools-version: 6.2

import PackageDescription

/// Swift 6 with all checks. `unsafe` must be written out, so that it stays confined to the code that needs it.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
let safe: [SwiftSetting] = strict + [.strictMemorySafety()]

/// The settings of the modules that work with pointers: loops over memory, built with the machine's vector
/// instructions.
///
/// Swift takes its target features from clang's: without `-march` a matrix kernel runs 150 times slower. Debug builds
/// are optimised too, because the tests would otherwise be too slow. SEED_MARCH builds for another processor than this
/// machine's.
let march = Context.environment["SEED_MARCH"] ?? "native"
let numeric: [SwiftSetting] = strict + [
    .unsafeFlags(["-Xcc", "-march=\(march)"]),
    .unsafeFlags(["-O"], .when(configuration: .debug)),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

func system(_ name: String, _ pkgConfig: String, _ package: String) -> Target {
    .systemLibrary(name: name, path: "Sources/Common/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([package])])
}

func library(_ name: String, _ dependencies: [Target.Dependency], _ settings: [SwiftSetting] = safe) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Common/\(name)", swiftSettings: settings)
}

func tool(_ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = []) -> Target {
    .executableTarget(name: name, dependencies: dependencies + ["ToolSupport", argumentParser], path: "Sources/\(name)", swiftSettings: safe + settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

/// MPI ranks, if the Makefile has found MPI; everything else is the same without it.
let hasMPI = Context.environment["SEED_MPI"] == "1"
let mpi: [Target] = !hasMPI ? [] : [
    system("CMPI", "ompi-c", "libopenmpi-dev"),
    library("MPI", ["CMPI", "CProcess", "Ranks", "ToolSupport", "Platform"], numeric),
]

/// The readers under libFuzzer, if `make fuzz` requests them; nothing else links with libFuzzer.
let fuzz: [Target] = Context.environment["SEED_FUZZ"] == nil ? [] : [
    .executableTarget(
        name: "fuzz", dependencies: ["Checkpoints", "Datasets", "Images", "TensorStreams", "ToolSupport", "Platform"], path: "Tests/Fuzz",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
]

let package = Package(
    name: "seed",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: [
        system("COpenBLAS", "openblas", "libopenblas-dev"),
        system("CArchive", "libarchive", "libarchive-dev"),
        system("CTurboJPEG", "libturbojpeg", "libturbojpeg0-dev"),
        system("CZstd", "libzstd", "libzstd-dev"),
        system("CSQLite", "sqlite3", "libsqlite3-dev"),
        .target(name: "CJPEG", path: "Sources/Common/System/CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),
        .systemLibrary(name: "CProcessor", path: "Sources/Common/System/CProcessor"),
        .target(name: "CProcess", path: "Sources/Common/System/CProcess"),

        // The base libraries.
        library("Platform", []),
        library("Randomness", ["Platform"], numeric),
        library("Parallel", ["CProcess", "CProcessor", "Platform"], numeric),
        library("ToolSupport", [argumentParser, "CProcess", "Parallel", "Platform"]),
        library("Kernels", ["COpenBLAS", "CProcess", "CProcessor", "Platform"], numeric),

        // Tensor streams, images and data sets.
        library("TensorStreams", ["ToolSupport", "CProcess", "CZstd", "Platform"]),
        library("History", ["CSQLite", "ToolSupport", "Platform"]),
        library("Images", ["ToolSupport", "CJPEG", "CTurboJPEG", "Randomness", "Platform"], numeric),
        library("Archives", ["ToolSupport", "CArchive", "Platform"]),
        library("Datasets", ["Archives", "Images", "TensorStreams", "ToolSupport", "Randomness", "Platform"]),
        library("Synthesis", ["Images", "CArchive", "Parallel", "Randomness", "ToolSupport", "Platform"], numeric),

        // Networks and their training.
        library("Layers", ["CProcessor", "Kernels", "Parallel", "Platform", "Randomness"], numeric),
        library("Networks", ["Layers", "Kernels", "Parallel", "Randomness", "Platform"], numeric),
        library("Checkpoints", ["Archives", "Kernels", "Layers", "Networks", "Platform", "TensorStreams", "ToolSupport"]),
        library("Losses", ["Kernels", "Parallel", "Randomness", "Platform"], numeric),
        library("Ranks", ["Kernels", "Parallel", "TensorStreams", "ToolSupport", "Platform"], numeric),
        library("Objectives", ["Layers", "Losses", "Networks", "Optimizers", "Randomness", "TensorStreams", "ToolSupport", "Platform"]),
        library("Optimizers", ["Parallel", "Platform"], numeric),
        library("Training", ["Checkpoints", "Kernels", "Layers", "Networks", "Objectives", "Optimizers", "Ranks", "TensorStreams", "ToolSupport", "Randomness", "Parallel", argumentParser, "Platform"]),
        library("Evaluation", ["COpenBLAS", "CProcessor", "Kernels", "Parallel", "Randomness", "TensorStreams", "ToolSupport", "Platform"], numeric),
        library("Pages", ["Datasets", "Images", "TensorStreams", "ToolSupport", "Platform"]),
        library("Measurement", ["Kernels", "Layers", "Networks", "Optimizers", "Parallel", "TensorStreams", "ToolSupport", "Platform"], numeric),
        library("Pipeline", ["Archives", "Checkpoints", "Datasets", "Images", "Measurement", "Networks", "Objectives", "Optimizers", "Parallel", "TensorStreams", "ToolSupport", "Platform"]),

        // The tools.
        tool("augment", ["Datasets", "Images", "TensorStreams", "Parallel", "Randomness", "Platform"]),
        tool("embed", ["Checkpoints", "Networks", "Objectives", "Training", "TensorStreams"]),
        tool("queue-loss", ["Objectives", "Training", "TensorStreams", "Platform"]),
        tool("train-step", ["Kernels", "Networks", "Objectives", "Training", "Optimizers", "Ranks", "TensorStreams", "Platform"] + (hasMPI ? ["MPI"] : []), settings: hasMPI ? [.define("SEED_MPI")] : []),
        tool("evaluate", ["Datasets", "Evaluation", "Images", "Pages", "Pipeline", "TensorStreams"]),
        tool("report", ["Datasets", "Evaluation", "Images", "Pages", "Pipeline", "TensorStreams"]),
        tool("nightly", ["Evaluation", "History", "Pages", "Pipeline", "TensorStreams", "Platform"]),
        tool("neighbours", ["Evaluation", "TensorStreams"]),
        tool("inspect", ["Checkpoints", "TensorStreams", "Images", "Platform"]),
        tool("synthesize", ["Synthesis", "Parallel"]),
        tool("initialize", ["Checkpoints", "Networks", "TensorStreams", "Training"]),
        tool("convert-weights", ["Checkpoints", "Networks", "TensorStreams", "Training"]),
        tool("tap", ["TensorStreams", "Platform"]),
        tool("fan-out", ["Platform"]),
        tool("merge-shards", ["TensorStreams"]),
        tool("plan", ["Pipeline", "Platform"]),
        tool("benchmark", ["Measurement", "Networks", "Parallel", "TensorStreams", "Platform"]),

        .target(name: "TestSupport", dependencies: ["Kernels", "Networks", "Parallel", "Ranks", "TensorStreams", "ToolSupport", "Platform"], path: "Tests/TestSupport", swiftSettings: numeric),
        // XTests for each library X, and XToolTests for each tool, tested from outside.
        tests("ParallelTests", ["Parallel", "TestSupport", "Platform"]),
        tests("RandomnessTests", ["Kernels", "Networks", "Randomness"]),
        tests("ToolSupportTests", ["ToolSupport", "Platform"]),
        tests("KernelsTests", ["Kernels", "TestSupport", "Platform"]),
        tests("TensorStreamsTests", ["TensorStreams", "TestSupport", "ToolSupport", "Platform"]),
        tests("ImagesTests", ["Images", "Randomness", "TensorStreams", "TestSupport", "ToolSupport"]),
        tests("DatasetsTests", ["Archives", "CArchive", "Datasets", "TestSupport", "ToolSupport"]),
        tests("SynthesisTests", ["Randomness", "Synthesis"]),
        tests("LayersTests", ["Kernels", "Layers", "Parallel", "TestSupport", "Platform"]),
        tests("NetworksTests", ["Kernels", "Networks", "TensorStreams", "TestSupport", "Platform"]),
        tests("CheckpointsTests", ["Checkpoints", "convert-weights", "Kernels", "Networks", "TensorStreams", "TestSupport", "ToolSupport"]),
        tests("LossesTests", ["Losses", "Parallel", "Randomness", "TensorStreams", "TestSupport"]),
        tests("OptimizersTests", ["Kernels", "Optimizers", "Parallel", "Randomness", "TensorStreams", "TestSupport"]),
        tests("RanksTests", ["Kernels", "Ranks", "TensorStreams", "TestSupport", "ToolSupport"]),
        tests("TrainingTests", ["Kernels", "Losses", "Networks", "Objectives", "Optimizers", "Ranks", "TensorStreams", "TestSupport", "ToolSupport", "Training"]),
        tests("EvaluationTests", ["Evaluation", "Randomness", "TensorStreams", "TestSupport", "ToolSupport"]),
        tests("MeasurementTests", ["Measurement"]),
        tests("PipelineTests", ["augment", "convert-weights", "embed", "evaluate", "fan-out", "initialize", "inspect", "merge-shards", "neighbours", "plan", "queue-loss", "report", "synthesize", "tap", "train-step", "Pipeline", "TensorStreams", "TestSupport", "Platform"]),
        tests("AugmentToolTests", ["augment", "Images", "Randomness", "TensorStreams", "TestSupport"]),
        tests("SynthesizeToolTests", ["synthesize", "Images", "Synthesis", "TestSupport", "Platform"]),
        tests("TrainStepToolTests", ["augment", "convert-weights", "embed", "initialize", "queue-loss", "synthesize", "train-step", "TensorStreams", "TestSupport"]),
        tests("QueueLossToolTests", ["queue-loss", "Losses", "Objectives", "Training", "TensorStreams", "TestSupport", "ToolSupport"]),
        tests("ConvertWeightsToolTests", ["augment", "convert-weights", "embed", "initialize", "synthesize", "train-step", "TensorStreams", "TestSupport"]),
        tests("EvaluateToolTests", ["evaluate", "TensorStreams", "TestSupport", "ToolSupport"]),
        tests("NeighboursToolTests", ["neighbours", "augment", "embed", "initialize", "synthesize", "TensorStreams", "TestSupport"]),
        tests("HistoryTests", ["History", "Evaluation", "ToolSupport", "TestSupport"]),
        tests("NightlyToolTests", ["augment", "convert-weights", "embed", "evaluate", "initialize", "nightly", "plan", "report", "synthesize", "tap", "train-step", "History", "TensorStreams", "TestSupport"]),
        tests("PagesTests", ["Pages", "Images"]),
        tests("ReportToolTests", ["augment", "convert-weights", "embed", "evaluate", "initialize", "plan", "report", "synthesize", "tap", "train-step", "TensorStreams", "TestSupport"]),
        tests("InspectToolTests", ["inspect", "Images", "TensorStreams", "TestSupport"]),
        tests("BenchmarkToolTests", ["benchmark", "TensorStreams", "TestSupport"]),
        tests("AllToolsTests", ["ToolSupport", "TensorStreams", "TestSupport", "augment", "convert-weights", "embed", "evaluate", "initialize", "inspect", "merge-shards", "queue-loss", "synthesize", "train-step", "Platform"]),
    ] + mpi + fuzz
)
