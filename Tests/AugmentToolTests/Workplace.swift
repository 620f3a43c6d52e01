import Foundation
import Images
import TensorStreams
import Testing

/// A folder for one test with pictures in it, and the tool run from outside there.
final class Workplace {
    let folder: URL

    /// Makes `pictures` small pictures in `data/cat`, `data/dog` …, of different sizes.
    init(pictures: Int = 12) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "augment-\(UUID().uuidString)")
        for number in 0..<pictures { try write(try JPEG.encode(picture(number), quality: 90), to: name(number)) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func name(_ number: Int) -> String { "data/\(["ant", "bee", "cat"][number % 3])/\(number).jpg" }

    func picture(_ number: Int) -> Image {
        let (width, height) = (20 + number % 7, 31 - number % 5)
        let pixels = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 / 3 % width * 9 + $0 / 3 / width * (5 + number) + $0 % 3 * 40) }
        return Image(width: width, height: height, pixels: pixels)
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    func write(_ bytes: [UInt8], to name: String) throws {
        let file = folder.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    struct Result {
        let status: Int32
        let error: String
    }

    /// Runs a line of bash in the folder, in which `augment` is the built tool, which lies beside this test program.
    @discardableResult
    func run(_ line: String) throws -> Result {
        let tools = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", "set -o pipefail; \(line)"]
        process.currentDirectoryURL = folder
        process.environment = ["PATH": tools + ":/usr/bin:/bin"]
        let error = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = error
        try process.run()
        let text = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, error: String(decoding: text, as: UTF8.self))
    }

    func read(_ name: String) throws -> (header: StreamHeader, records: [TensorDocument]) {
        let reader = try StreamReader(path(name))
        var records = [TensorDocument]()
        while let record = try reader.next() { records.append(record) }
        return (reader.header, records)
    }

    /// Runs the tool with `-o out` and reads what it wrote.
    func stream(_ options: String) throws -> (header: StreamHeader, records: [TensorDocument]) {
        let result = try run("augment --data data --size 16 -o out \(options)")
        try #require(result.status == 0, "\(result.error)")
        return try read("out")
    }
}

extension [TensorDocument] {
    var indices: [Int] { get throws { try flatMap { try $0.tensor("index", .i64, shape: [nil]).integers() } } }
    var labels: [Int] { get throws { try flatMap { try $0.tensor("label", .i32, shape: [nil]).integers() } } }
    /// The bytes of every picture's views, in the order of the stream.
    var views: [[UInt8]] {
        get throws {
            try flatMap { record -> [[UInt8]] in
                let images = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3])
                let length = images.byteCount / images.shape[0]
                let bytes = images.withBytes { [UInt8]($0) }
                return stride(from: 0, to: bytes.count, by: length).map { Array<UInt8>(bytes[$0..<$0 + length]) }
            }
        }
    }
}
