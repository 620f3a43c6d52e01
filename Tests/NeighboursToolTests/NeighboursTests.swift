import Foundation
import TensorStreams
import TestSupport
import Testing

struct NeighboursTests {
    /// Features of `count` images, numbered from `first` in steps of three, in records of 16.
    private func stream(_ place: Workplace, _ name: String, count: Int, D: Int = 12, first: Int = 5, repeating: Bool = false) throws -> [[Double]] {
        let values = formula("neighbours", count * D), writer = try StreamWriter(place.path(name), header: StreamHeader(metadata: ["images": "\(count)"]))
        for start in stride(from: 0, to: count, by: 16) {
            let rows = start..<min(count, start + 16)
            try writer.write(TensorDocument(tensors: [
                "features": Tensor(f32: Array(values[rows.lowerBound * D..<rows.upperBound * D]), shape: [rows.count, D]),
                "index": Tensor(i64: rows.map { repeating ? 5 : Int64(first + 3 * $0) }, shape: [rows.count]),
            ]))
        }
        try writer.commit()
        return (0..<count).map { n in values[n * D..<(n + 1) * D].map(Double.init) }
    }

    private func read(_ place: Workplace, _ name: String) throws -> (index: [Int], lists: [[Int]]) {
        let document = try DocumentFile.read(place.path(name)), index = try #require(document.tensors["index"]).integers(), lists = try #require(document.tensors["neighbours"])
        let k = lists.shape[1], all = try lists.integers()
        return (index, index.indices.map { Array(all[$0 * k..<($0 + 1) * k]) })
    }

    @Test(arguments: [(70, 5), (4, 5), (2, 1), (40, 39)]) func `neighbours are the nearest others by cosine, without labels`(_ count: Int, _ k: Int) throws {
        let place = try Workplace(), rows = try stream(place, "f", count: count)
        let result = try place.run("neighbours -k \(k) f -o b.safetensors; neighbours -k \(k) --threads 3 -q -o c.safetensors < f; cmp b.safetensors c.safetensors")
        #expect(result.status == 0 && result.error.contains("\(count) images"), "\(result.error)")
        let (index, lists) = try read(place, "b.safetensors")
        #expect(index == (0..<count).map { 5 + 3 * $0 })
        func cosine(_ a: [Double], _ b: [Double]) -> Double {
            func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
            return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
        }
        for n in 0..<count {
            let others = (0..<count).filter { $0 != n }.sorted { (-cosine(rows[n], rows[$0]), $0) < (-cosine(rows[n], rows[$1]), $1) }
            #expect(lists[n] == others.prefix(k).map { 5 + 3 * $0 })
        }
    }

    @Test func `an image alone, or twice, is 65, and so is a cut stream; nothing is left`() throws {
        let place = try Workplace()
        _ = try stream(place, "one", count: 1)
        _ = try stream(place, "twice", count: 3, repeating: true)
        _ = try stream(place, "whole", count: 40)
        try place.write(place.bytes("whole").dropLast(30), to: "cut")
        for (name, words) in [("one", "one: has only one image"), ("twice", "twice: has image 5 more than once"), ("cut", "cut")] {
            let result = try place.run("neighbours \(name) -o b")
            #expect(result.status == 65 && result.error.contains(words) && result.lines.count == 1 && !place.exists("b") && !place.hasUnfinished, "\(result.error)")
        }
        let tensor = try place.run("neighbours --tensor embedding whole -o b")
        #expect(tensor.status == 65 && tensor.error.contains("has no tensor 'embedding', but features, index"), "\(tensor.error)")
    }

    @Test func `wrong options are 64, what cannot be opened 66, what cannot be made 73`() throws {
        let place = try Workplace()
        _ = try stream(place, "f", count: 20)
        for (line, status) in [("-k 0 f -o b", 64), ("-k 5000 f -o b", 64), ("f -o -", 64), ("f -o f", 64), ("f", 64), ("nowhere -o b", 66), ("f -o no/such", 73)] as [(String, Int32)] {
            let result = try place.run("neighbours \(line)")
            #expect(result.status == status && result.error.hasPrefix("neighbours: ") && result.lines.count == 1 && !place.exists("b"), "\(line): \(result.status) \(result.error)")
        }
    }
}
