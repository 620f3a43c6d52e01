import Datasets
import Images
import Parallel
import TensorStreams
import ToolSupport

/// Decodes images and renders their views, a batch at a time, on all threads.
struct BatchRenderer {
    struct Broken {
        let index: Int
        let location: String
        let failure: Failure
    }

    /// What became of a batch: a record of the images that are whole, nil if none is, and the others.
    struct Batch {
        let record: TensorDocument?
        let broken: [Broken]
    }

    private let data: Dataset
    private let groups: [CropGroup]
    private let seed: UInt64
    private let workers: [ViewRenderer]

    init(_ data: Dataset, _ groups: [CropGroup], seed: UInt64) throws {
        self.data = data
        self.groups = groups
        self.seed = seed
        workers = try (0..<Parallel.threads).map { _ in try ViewRenderer() }
    }

    /// Renders the images `indices` for batch `step` of `epoch`.
    ///
    /// - Parameter drawn: the epoch that the views are those of, where it is another.
    /// - Throws: a ``Failure`` when something else than an image is broken.
    func render(_ indices: ArraySlice<Int>, epoch: Int, drawnAs drawn: Int, step: Int) throws -> Batch {
        let indices = Array(indices)
        var failures = [(any Error)?](repeating: nil, count: indices.count)
        let images = unsafe tensors(groups[...], N: indices.count, []) { targets in
            unsafe failures.withUnsafeMutableBufferPointer { failures in
                Parallel.forEach(indices.count, workers: workers.count) { row, worker in
                    do {
                        unsafe try render(indices[row], epoch: drawn, on: workers[worker], row: row, into: targets)
                    } catch {
                        unsafe failures[row] = error
                    }
                }
            }
        }
        var broken: [Broken] = []
        for case (let index, let error?) in zip(indices, failures) {
            guard let failure = error as? Failure, failure.kind == .data else { throw error }
            broken.append(Broken(index: index, location: data.location(of: index), failure: failure))
        }
        let whole = indices.indices.filter { failures[$0] == nil }
        guard !whole.isEmpty else { return Batch(record: nil, broken: broken) }
        var record = TensorDocument(
            metadata: ["epoch": "\(epoch)", "step": "\(step)"],
            tensors: [
                "index": Tensor(i64: whole.map { Int64(indices[$0]) }, shape: [whole.count]),
                "label": Tensor(i32: whole.map { Int32(data.samples[indices[$0]].label) }, shape: [whole.count]),
            ])
        for (number, tensor) in images.enumerated() {
            record.tensors[number == 0 ? "images" : "images.\(number)"] = broken.isEmpty ? tensor : keep(whole, of: tensor)
        }
        return Batch(record: record, broken: broken)
    }

    /// A tensor for each of `groups`, u8 [N, views, size, size, 3]; `filling` is given the memory of all, behind that of `targets`.
    private func tensors(
        _ groups: ArraySlice<CropGroup>, N: Int, _ targets: [UnsafeMutableRawBufferPointer], filling: ([UnsafeMutableRawBufferPointer]) -> Void
    ) -> [Tensor] {
        guard let group = groups.first else {
            unsafe filling(targets)
            return []
        }
        var others: [Tensor] = []
        let tensor = unsafe Tensor(dtype: .u8, shape: [N, group.views, group.size, group.size, 3]) { bytes in
            others = unsafe tensors(groups.dropFirst(), N: N, targets + [bytes], filling: filling)
        }
        return [tensor] + others
    }

    /// All views of one image, which is decoded once.
    private func render(_ index: Int, epoch: Int, on renderer: ViewRenderer, row: Int, into targets: [UnsafeMutableRawBufferPointer]) throws {
        try data.decode(index, on: renderer)
        for (place, group) in groups.enumerated() {
            let target = unsafe targets[place]
            let bytes = group.bytes / group.views
            for number in 0..<group.views {
                let view = group.view(number, width: renderer.source.width, height: renderer.source.height, seed: seed, epoch: epoch, item: index)
                let start = row * group.bytes + number * bytes
                let rows = unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<start + bytes])
                try unsafe renderer.render(view, into: rows.bindMemory(to: UInt8.self))
            }
        }
    }

    /// The images at `rows`, one behind the other.
    private func keep(_ rows: [Int], of images: Tensor) -> Tensor {
        let length = images.byteCount / images.shape[0]
        return unsafe Tensor(dtype: .u8, shape: [rows.count] + images.shape.dropFirst()) { target in
            unsafe images.withBytes { source in
                for (number, row) in rows.enumerated() {
                    let part = unsafe UnsafeRawBufferPointer(rebasing: source[row * length..<(row + 1) * length])
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[number * length..<(number + 1) * length]).copyMemory(from: part)
                }
            }
        }
    }
}
