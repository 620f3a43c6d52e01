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
    private let recipe: Recipe
    private let views: Int
    private let seed: UInt64
    private let workers: [ViewRenderer]
    private var viewBytes: Int { recipe.size * recipe.size * 3 }

    init(_ data: Dataset, _ recipe: Recipe, views: Int, seed: UInt64) throws {
        self.data = data
        self.recipe = recipe
        self.views = views
        self.seed = seed
        workers = try (0..<Parallel.threads).map { _ in try ViewRenderer() }
    }

    /// Renders the images `indices` for batch `step` of `epoch`.
    ///
    /// - Throws: a ``Failure`` when something else than an image is broken.
    func render(_ indices: ArraySlice<Int>, epoch: Int, step: Int) throws -> Batch {
        let indices = Array(indices)
        var failures = [(any Error)?](repeating: nil, count: indices.count)
        let images = unsafe Tensor(dtype: .u8, shape: [indices.count, views, recipe.size, recipe.size, 3]) { bytes in
            unsafe failures.withUnsafeMutableBufferPointer { failures in
                Parallel.forEach(indices.count, workers: workers.count) { row, worker in
                    let rows = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[row * views * viewBytes..<(row + 1) * views * viewBytes])
                    do {
                        unsafe try render(indices[row], epoch: epoch, on: workers[worker], into: rows)
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
        let record = TensorDocument(
            metadata: ["epoch": "\(epoch)", "step": "\(step)"],
            tensors: [
                "images": broken.isEmpty ? images : keep(whole, of: images),
                "index": Tensor(i64: whole.map { Int64(indices[$0]) }, shape: [whole.count]),
                "label": Tensor(i32: whole.map { Int32(data.samples[indices[$0]].label) }, shape: [whole.count]),
            ])
        return Batch(record: record, broken: broken)
    }

    /// All views of one image.
    private func render(_ index: Int, epoch: Int, on renderer: ViewRenderer, into target: UnsafeMutableRawBufferPointer) throws {
        let reader = try data.reader(index)
        do {
            try unsafe renderer.decode { unsafe try reader.read(into: $0, at: $1) }
        } catch var failure as Failure {
            failure.path = failure.path ?? data.location(of: index)
            throw failure
        }
        for number in 0..<views {
            let view = recipe.view(
                width: renderer.source.width, height: renderer.source.height, seed: seed, epoch: epoch, item: index, view: number)
            let rows = unsafe UnsafeMutableRawBufferPointer(rebasing: target[number * viewBytes..<(number + 1) * viewBytes])
            try unsafe renderer.render(view, into: rows.bindMemory(to: UInt8.self))
        }
    }

    /// The images at `rows`, one behind the other.
    private func keep(_ rows: [Int], of images: Tensor) -> Tensor {
        let length = views * viewBytes
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
