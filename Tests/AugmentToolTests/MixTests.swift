import Foundation
import Images
import Randomness
import TensorStreams
import TestSupport
import Testing

/// Mixtures of two images in augment: MixUp within a batch, CutMix of an image and one from its bag.
struct MixTests {
    let place: Workplace
    init() throws { place = try Workplace(images: 24) }

    private func bags(_ images: [Int] = Array(0..<24), _ lists: (Int) -> [Int] = { [($0 + 1) % 24, ($0 + 5) % 24, ($0 + 9) % 24] }, _ name: String = "bags") throws {
        let neighbours = images.flatMap(lists)
        try DocumentFile.write(
            TensorDocument(tensors: [
                "index": Tensor(i64: images.map(Int64.init), shape: [images.count]), "neighbours": Tensor(i64: neighbours.map(Int64.init), shape: [images.count, neighbours.count / max(1, images.count)]),
            ]), to: place.path(name))
    }

    private func bytes(_ record: TensorDocument, _ name: String) throws -> (N: Int, V: Int, bytes: [UInt8]) {
        let tensor = try record.tensor(name, .u8, shape: [nil, nil, 16, 16, 3])
        return (tensor.shape[0], tensor.shape[1], tensor.withBytes { [UInt8]($0) })
    }

    private func share(_ record: TensorDocument) throws -> Double { try #require(record.metadata["mix"].flatMap { Double($0) }) }

    /// View `view` of image `index`, as the recipe makes it if the image has number `item`.
    private func view(_ index: Int, item: Int, view: Int, epoch: Int, seed: UInt64) throws -> [UInt8] {
        let names = (0..<24).map(place.name).sorted(), renderer = try ViewRenderer()
        try [UInt8](place.bytes(names[index])).withUnsafeBytes { try renderer.decode($0) }
        let made = Recipe.mocoV2.view(width: renderer.source.width, height: renderer.source.height, size: 16, seed: seed, epoch: epoch, item: item, view: view)
        var pixels = [UInt8](repeating: 0, count: 16 * 16 * 3)
        try pixels.withUnsafeMutableBufferPointer { try renderer.render(made, into: $0) }
        return pixels
    }

    @Test func `of an image and one of its bag there are a view each, one more each, and a mix by one box`() throws {
        try bags()
        let pixels = 16 * 16 * 3
        var members: Set<Int> = [], shares: Set<Double> = []
        for record in try place.stream("--bags bags --batch 8 --epoch 3 --seed 2").records {
            let (N, V, own) = try bytes(record, "images"), (_, W, teachers) = try bytes(record, "images.1")
            #expect(V == 3 && W == 2 && N == 8)
            func student(_ n: Int, _ v: Int) -> [UInt8] { Array(own[(3 * n + v) * pixels..<(3 * n + v + 1) * pixels]) }
            func teacher(_ n: Int, _ v: Int) -> [UInt8] { Array(teachers[(2 * n + v) * pixels..<(2 * n + v + 1) * pixels]) }
            var boxes: Set<[Bool]> = []
            for (n, index) in try [record].indices.enumerated() {
                #expect(try student(n, 0) == view(index, item: index, view: 0, epoch: 3, seed: 2) && teacher(n, 0) == view(index, item: index, view: 3, epoch: 3, seed: 2))
                let member = try #require(try [1, 5, 9].map { (index + $0) % 24 }.first { try view($0, item: index, view: 1, epoch: 3, seed: 2) == student(n, 1) })
                members.insert((member - index + 24) % 24)
                #expect(try teacher(n, 1) == view(member, item: index, view: 4, epoch: 3, seed: 2))
                let (a, b, mix) = (student(n, 0), student(n, 1), student(n, 2))
                #expect(mix.indices.allSatisfy { mix[$0] == a[$0] || mix[$0] == b[$0] })
                func pixel(_ image: [UInt8], _ p: Int) -> [UInt8] { Array(image[3 * p..<3 * p + 3]) }
                boxes.insert((0..<256).map { p -> Bool in pixel(mix, p) == pixel(b, p) && pixel(a, p) != pixel(b, p) })
            }
            // If two images differ throughout the box, the whole box is visible; the box is the same for all.
            let share = try share(record), pasted = boxes.map { box -> Int in box.count { isPasted in isPasted } }.max() ?? 0, area = 256 * (1 - share)
            #expect(pasted <= Int(area.rounded()) && pasted >= Int(0.75 * area) - 4, "\(pasted) of \(area)")
            shares.insert(share)
        }
        #expect(members == [1, 5, 9] && shares.count == 3)
    }

    @Test func `the box has the area that its share says, which is distributed as Beta(2, 2) where nothing is cut off`() throws {
        var sum = 0.0, square = 0.0, count = 0.0
        for item in 0..<4000 {
            var random = CounterRandom(seed: 1, .test, item: item)
            let box = ImageMix.box(size: 224, using: &random), share = ImageMix.share(box, size: 224)
            #expect(box.left >= 0 && box.top >= 0 && box.width >= 0 && box.height >= 0 && box.left + box.width <= 224 && box.top + box.height <= 224)
            #expect(abs(share - (1 - Double(box.width * box.height) / 50176)) < 1e-12)
            guard box.left > 0, box.top > 0, box.left + box.width < 224, box.top + box.height < 224 else { continue }
            // Boxes that are not cut off tend to be smaller, so the distribution is tested on the draws alone:
            var same = CounterRandom(seed: 1, .test, item: item)
            let drawn = [same.uniform(), same.uniform(), same.uniform()].sorted()[1]
            #expect(abs(share - drawn) < 0.02)
        }
        for item in 0..<4000 {
            var random = CounterRandom(seed: 1, .test, item: item)
            let drawn = [random.uniform(), random.uniform(), random.uniform()].sorted()[1]
            (sum, square, count) = (sum + drawn, square + drawn * drawn, count + 1)
        }
        // Mean ½, variance 1/20.
        #expect(abs(sum / count - 0.5) < 0.015 && abs(square / count - 0.25 - 0.05) < 0.01)
    }

    @Test func `MixUp is the mean of two images of the batch, each once on either side, by one share`() throws {
        let plain = try place.stream("--batch 8 --seed 5 --epoch 1 --views 2").records, mixed = try place.stream("--batch 8 --seed 5 --epoch 1 --views 2 --mix-up").records
        var shares: Set<Double> = []
        for (plain, mixed) in zip(plain, mixed) {
            let share = try share(mixed), (N, V, a) = try bytes(plain, "images"), m = try bytes(mixed, "images").bytes, length = V * 16 * 16 * 3
            shares.insert(share)
            #expect(try [plain].indices == [mixed].indices && [plain].labels == [mixed].labels && plain.metadata["mix"] == nil)
            var partners: Set<Int> = []
            for n in 0..<N {
                let own = a[n * length..<(n + 1) * length], found = m[n * length..<(n + 1) * length]
                let partner = try #require((0..<N).first { other in
                    zip(zip(own, a[other * length..<(other + 1) * length]), found).allSatisfy { abs(share * Double($0.0.0) + (1 - share) * Double($0.0.1) - Double($0.1)) < 0.51 }
                })
                partners.insert(partner)
            }
            #expect(partners.count == N)
        }
        #expect(shares.count == 3)
    }

    @Test(arguments: ["--bags bags", "--mix-up"]) func `threads and shards change nothing`(_ options: String) throws {
        try bags()
        for (name, threads) in [("a", 1), ("b", 5)] {
            #expect(try place.run("augment --data data --size 16 --batch 7 -q \(options) --threads \(threads) -o \(name)").status == 0)
        }
        #expect(try place.bytes("a") == place.bytes("b"))
    }

    @Test func `a broken image is left out, and so are those that have drawn it; it is told once`() throws {
        try bags()
        let names = (0..<24).map(place.name).sorted(), whole = try place.stream("--bags bags --batch 8").records.indices
        try place.write("text", to: names[7])
        let result = try place.run("augment --data data --size 16 --batch 8 --bags bags --allow-bad -o out"), kept = try place.read("out").records.indices
        #expect(result.status == 0 && result.lines.count { $0.contains(names[7]) && $0.hasSuffix("left out") } == 1, "\(result.error)")
        #expect(Set(kept).isSubset(of: whole) && !kept.contains(7) && kept.count < 24 && kept.count >= 20)
        // If the bags were made without the image, no other image draws it.
        try bags(Array(0..<24).filter { $0 != 7 }) { [$0 == 6 ? 8 : ($0 + 1) % 24] }
        let without = try place.stream("--bags bags --batch 8 --allow-bad").records.indices
        #expect(without.sorted() == Array(0..<24).filter { $0 != 7 })
    }

    @Test func `bags that do not go with the data are told, and so are options that do not go with them`() throws {
        func error(_ options: String, status: Int32) throws -> String {
            let result = try place.run("augment --data data --size 16 \(options) -o out")
            #expect(result.status == status && result.lines.count == 1 && !place.exists("out") && !place.hasUnfinished, "\(options): \(result.status) \(result.error)")
            return result.error
        }
        try bags()
        for option in ["--views 2", "--crops 2x16", "--mix-up", "--preview s.jpg"] {
            let said = try place.run("augment --data data --bags bags \(option)\(option.hasPrefix("--preview") ? "" : " -o out")")
            #expect(said.status == 64 && said.error.contains("--bags"), "\(said.error)")
        }
        #expect(try error("--bags nowhere", status: 66).contains("nowhere"))
        try bags(Array(0..<20))
        #expect(try error("--bags bags", status: 65).contains("bags: has no neighbours of image 2"))
        try bags { _ in [24] }
        #expect(try error("--bags bags", status: 65).contains("of 24 images"))
        try bags { [$0 - 1] }
        #expect(try error("--bags bags", status: 65).contains("of 24 images"))
        try bags([1, 1])
        #expect(try error("--bags bags", status: 65).contains("more than once"))
        try bags([1]) { _ in [] }
        #expect(try error("--bags bags", status: 65).contains("no neighbours"))
    }
}
