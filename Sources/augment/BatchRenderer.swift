import Datasets
import Images
import Parallel
import Randomness
import TensorStreams
import ToolSupport

/// A broken image in the bag of another image.
private struct BrokenMember: Error {
    let index: Int
    let failure: Failure
}

/// Decodes images and renders their views, batch by batch, on all threads.
struct BatchRenderer {
    struct Broken {
        let index: Int
        let location: String
        let failure: Failure
    }

    /// The result for a batch: a record of the intact images (nil if there are none), and the broken ones.
    struct Batch {
        let record: TensorDocument?
        let broken: [Broken]
    }

    private let data: Dataset
    private let groups: [CropGroup]
    private let seed: UInt64
    private let mixing: Mixing
    private let addsPaths: Bool
    private let workers: [ViewRenderer]

    init(_ data: Dataset, _ groups: [CropGroup], mixing: Mixing = .none, seed: UInt64, addsPaths: Bool = false) throws {
        self.data = data
        self.groups = groups
        self.mixing = mixing
        self.seed = seed
        self.addsPaths = addsPaths
        workers = try (0..<Parallel.threads).map { _ in try ViewRenderer() }
    }

    /// Renders the images `indices` for batch `step` of `epoch`, or only those at the positions `part`.
    ///
    /// - Parameters:
    ///   - passes: the pass over the data for each image, which determines its views.
    ///   - drawn: the epoch that determines how images are mixed.
    ///   - position: the position of the record's last image, for the metadata `position`.
    /// - Throws: a ``Failure`` when anything other than an image is broken.
    func render(_ batch: ArraySlice<Int>, part: Range<Int>, passes: [Int], epoch: Int, drawnAs drawn: Int, step: Int, position: String?) throws -> Batch {
        // Images may be mixed with any others of the batch.
        let places = mixing.isMixUp ? 0..<batch.count : part
        let indices = Array(batch.dropFirst(places.lowerBound).prefix(places.count)), passes = passes[places].map { $0 }
        var failures = [(any Error)?](repeating: nil, count: indices.count)
        var random = CounterRandom(seed: seed, .mix, epoch: drawn, item: step)
        let box = ImageMix.box(size: groups[0].size, using: &random)
        let images = unsafe tensors(groups[...], N: indices.count, []) { targets in
            unsafe failures.withUnsafeMutableBufferPointer { failures in
                Parallel.forEach(indices.count, workers: workers.count) { row, worker in
                    do {
                        if case .bags(let bags) = mixing {
                            unsafe try render(indices[row], bags, box, epoch: passes[row], on: workers[worker], row: row, into: targets)
                        } else {
                            unsafe try render(indices[row], epoch: passes[row], on: workers[worker], row: row, into: targets)
                        }
                    } catch {
                        unsafe failures[row] = error
                    }
                }
            }
        }
        var broken: [Broken] = []
        for case (let index, let error?) in zip(indices, failures) {
            if let missing = error as? MissingBag { throw missing.failure }
            let culprit = (error as? BrokenMember)?.index ?? index
            guard let failure = (error as? BrokenMember)?.failure ?? error as? Failure, failure.kind == .data else { throw error }
            broken.append(Broken(index: culprit, location: data.location(of: culprit), failure: failure))
        }
        let whole = indices.indices.filter { failures[$0] == nil }
        guard !whole.isEmpty else { return Batch(record: nil, broken: broken) }
        var record = TensorDocument(
            metadata: ["epoch": "\(epoch)", "step": "\(step)"],
            tensors: [
                "index": Tensor(i64: whole.map { Int64(indices[$0]) }, shape: [whole.count]),
                "label": Tensor(i32: whole.map { Int32(data.samples[indices[$0]].label) }, shape: [whole.count]),
            ])
        record.metadata["position"] = position
        let missing = indices.indices.filter { failures[$0] != nil && part.contains(places.lowerBound + $0) }
        if !missing.isEmpty { record.metadata[TensorDocument.brokenKey] = missing.map { "\(places.lowerBound + $0)" }.joined(separator: " ") }
        if addsPaths { record.tensors["path"] = paths(whole.map { indices[$0] }) }
        let mixed = mixing.isMixUp ? mixUp(whole.count, &random) : nil
        if let mixed { record.metadata[TensorDocument.mixKey] = "\(mixed.share)" }
        if case .bags = mixing { record.metadata[TensorDocument.mixKey] = "\(ImageMix.share(box, size: groups[0].size))" }
        for (number, tensor) in images.enumerated() {
            let kept = broken.isEmpty ? tensor : keep(whole, of: tensor)
            record.tensors[number == 0 ? "images" : "images.\(number)"] = mixed.map { blend(kept, $0.partners, $0.share) } ?? kept
        }
        let kept = whole.indices.filter { part.contains(places.lowerBound + whole[$0]) }
        if kept.count < whole.count { record.tensors = record.tensors.mapValues { keep(kept, of: $0) } }
        return Batch(record: kept.isEmpty ? nil : record, broken: broken)
    }

    /// The paths of images in the data, u8 [N, L]: as long as the longest, padded with zeros. No path contains a zero.
    private func paths(_ indices: [Int]) -> Tensor {
        let paths = indices.map { data.samples[$0].pathBytes }, L = paths.map(\.count).max() ?? 0
        return Tensor(u8: paths.flatMap { $0 + [UInt8](repeating: 0, count: L - $0.count) }, shape: [paths.count, L])
    }

    /// A tensor for each of `groups`, u8 [N, views, size, size, 3]; `filling` receives the memory of all, appended to
    /// `targets`.
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

    /// Renders all views of one image, which is decoded once.
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

    /// Renders views of an image and of another one in its bag: in the first group one of each and their mix, in the
    /// second one more of each.
    ///
    /// All are drawn with the image's own number. The other image is drawn at random from the image's bag, so no other
    /// image has the same views.
    private func render(_ index: Int, _ bags: Bags, _ box: CropBox, epoch: Int, on renderer: ViewRenderer, row: Int, into targets: [UnsafeMutableRawBufferPointer]) throws {
        func part(_ group: Int, _ number: Int) -> UnsafeMutableRawBufferPointer {
            let bytes = groups[group].bytes / groups[group].views, start = row * groups[group].bytes + number * bytes
            return unsafe UnsafeMutableRawBufferPointer(rebasing: targets[group][start..<start + bytes])
        }
        for number in 0...1 {
            if number == 0 {
                try data.decode(index, on: renderer)
            } else {
                // Not earlier, because a broken image has no bag.
                let member = try bags.member(of: index, seed: seed, epoch: epoch)
                do {
                    try data.decode(member, on: renderer)
                } catch let failure as Failure {
                    throw BrokenMember(index: member, failure: failure)
                }
            }
            for (place, group) in groups.enumerated() {
                let view = group.view(number, width: renderer.source.width, height: renderer.source.height, seed: seed, epoch: epoch, item: index)
                try unsafe renderer.render(view, into: part(place, number).bindMemory(to: UInt8.self))
            }
        }
        unsafe ImageMix.paste(UnsafeRawBufferPointer(part(0, 0)), UnsafeRawBufferPointer(part(0, 1)), box: box, width: groups[0].size, into: part(0, 2))
    }

    /// The partner of each image in the batch, and the image's own weight, the same for all.
    private func mixUp(_ count: Int, _ random: inout CounterRandom) -> (partners: [Int], share: Double) { (random.permutation(count), random.uniform()) }

    private func blend(_ images: Tensor, _ partners: [Int], _ share: Double) -> Tensor {
        let length = images.byteCount / images.shape[0]
        return unsafe Tensor(dtype: .u8, shape: images.shape) { target in
            unsafe images.withBytes { source in
                func part(_ row: Int) -> UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: source[row * length..<(row + 1) * length]) }
                Parallel.forEach(partners.count) { row, _ in
                    unsafe ImageMix.blend(
                        part(row), part(partners[row]), share: share, into: UnsafeMutableRawBufferPointer(rebasing: target[row * length..<(row + 1) * length]))
                }
            }
        }
    }

    /// The rows `rows` of a tensor of images, or of one of the record's other tensors, one after the other.
    private func keep(_ rows: [Int], of images: Tensor) -> Tensor {
        let length = images.byteCount / images.shape[0]
        return unsafe Tensor(dtype: images.dtype, shape: [rows.count] + images.shape.dropFirst()) { target in
            unsafe images.withBytes { source in
                for (number, row) in rows.enumerated() {
                    let part = unsafe UnsafeRawBufferPointer(rebasing: source[row * length..<(row + 1) * length])
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[number * length..<(number + 1) * length]).copyMemory(from: part)
                }
            }
        }
    }
}
