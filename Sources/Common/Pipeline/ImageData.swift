import Datasets
import Images
import Parallel
import Synchronization
import TensorStreams
import ToolSupport

/// The opened DATA or TEST: its images, and its identity as a hash of images and labels in order.
///
/// The hash depends on the bytes only, not on their location, archive format or modification time.
struct ImageData {
    let dataset: Dataset
    /// The hash of each image's bytes, in order.
    let hashes: [UInt64]
    /// The number of images without a valid JPEG header, and the first of them with the reason.
    let broken: (count: Int, first: (index: Int, reason: String)?)

    var count: Int { dataset.samples.count }
    var classes: [String] { dataset.classes }
    /// The number of images that have a class.
    var labelled: Int { dataset.samples.count { $0.label >= 0 } }

    var identity: String {
        var hash = XXH64()
        for (sample, content) in zip(dataset.samples, hashes) {
            var line = "\(sample.label < 0 ? "" : classes[sample.label])\u{0}\(content);"
            line.withUTF8 { unsafe hash.update(UnsafeRawBufferPointer($0)) }
        }
        return hash.text
    }

    /// Reads every image of `dataset` that `known` lacks, on all threads.
    ///
    /// - Parameter progress: receives the number of images read.
    init(_ dataset: Dataset, known: inout FileHashes, progress: (Int) -> Void) throws {
        self.dataset = dataset
        var contents = [ContentHash](repeating: ContentHash(0), count: dataset.samples.count)
        var samples = [[Int]](repeating: [], count: dataset.fileCount)
        for index in dataset.samples.indices { samples[dataset.file(of: index)].append(index) }
        var unread: [(file: Int, stamp: FileStamp?)] = []
        for file in samples.indices where !samples[file].isEmpty {
            let stamp = FileStamp(dataset.filePath(file))
            // The images of a file depend on its bytes, but which of them are used may have changed with the version.
            guard let hashes = known.hashes(of: dataset.fileName(file), stamp?.mark, count: samples[file].count) else {
                unread.append((file, stamp))
                continue
            }
            for (index, hash) in zip(samples[file], hashes) { contents[index] = hash }
        }
        let indices = unread.flatMap { samples[$0.file] }
        progress(dataset.samples.count - indices.count)
        try ImageData.read(indices, of: dataset, into: &contents, progress: progress)
        for (file, stamp) in unread {
            known.keep(samples[file].map { contents[$0] }, of: dataset.fileName(file), at: dataset.filePath(file), stamp)
        }
        hashes = contents.map(\.value)
        let first = contents.firstIndex { $0.isBroken }
        broken = (
            contents.count { $0.isBroken }, first.map { ($0, (try? ImageData.look(at: $0, of: dataset).complaint) ?? "cannot be read") }
        )
    }

    /// Hashes the images with these indices.
    private static func read(_ indices: [Int], of dataset: Dataset, into contents: inout [ContentHash], progress: (Int) -> Void) throws {
        // Works in blocks so that this thread reports the progress.
        for start in stride(from: 0, to: indices.count, by: 256) {
            let part = Array(indices[start..<min(start + 256, indices.count)])
            let results = Mutex([(index: Int, hash: ContentHash)]())
            let failure = Mutex<(any Error)?>(nil)
            Parallel.forEach(part.count) { index, _ in
                do {
                    let (hash, complaint) = try ImageData.look(at: part[index], of: dataset)
                    results.withLock { $0.append((part[index], ContentHash(hash, isBroken: complaint != nil))) }
                } catch let broken as Failure where broken.kind == .data {
                    results.withLock { $0.append((part[index], ContentHash(0, isBroken: true))) }
                } catch {
                    failure.withLock { $0 = error }
                }
            }
            if let error = failure.withLock({ $0 }) { throw error }
            for result in results.withLock({ $0 }) { contents[result.index] = result.hash }
            progress(part.count)
        }
    }

    /// The hash of an image's bytes, and the defect of its header; nil if it has none.
    private static func look(at index: Int, of dataset: Dataset) throws -> (hash: UInt64, complaint: String?) {
        let reader = try dataset.reader(index)
        var hash = XXH64()
        var chunk = [UInt8](repeating: 0, count: 128 << 10)
        var offset = 0
        while true {
            let count = try unsafe chunk.withUnsafeMutableBytes { unsafe try reader.read(into: $0, at: offset) }
            unsafe chunk.withUnsafeBytes { unsafe hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
            if count == 0 { break }
        }
        do {
            _ = try unsafe JPEGHeader { unsafe try reader.read(into: $0, at: $1) }
            return (hash.value, nil)
        } catch let failure as Failure where failure.kind == .data {
            return (hash.value, failure.what)
        }
    }

    /// The number of images that `other` also has, byte for byte.
    func shared(with other: ImageData) -> Int {
        let others = Set(other.hashes)
        return hashes.count { others.contains($0) }
    }
}
