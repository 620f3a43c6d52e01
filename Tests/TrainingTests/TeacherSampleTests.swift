import Foundation
import Objectives
import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct TeacherSampleTests {
    private let D = 4

    /// Unit rows that encode their number.
    private func rows(_ range: Range<Int>) -> [Float] {
        range.flatMap { n -> [Float] in
            let angle = Double(n) * 1e-3
            return [Float(cos(angle)), Float(sin(angle)), 0, 0]
        }
    }

    /// A stream of batches with these numbers of rows; `change` may corrupt them.
    private func reader(_ batches: [Int], images: Int = 1, epoch: (Int) -> String? = { _ in "0" }, change: (Int, inout TensorDocument) -> Void = { _, _ in }) throws -> (Workplace, TeacherSample.Reader) {
        let place = try Workplace()
        let writer = try StreamWriter(place.path("in"), header: StreamHeader())
        var next = 0
        for (number, N) in batches.enumerated() {
            var record = TensorDocument(tensors: ["teacher": Tensor(f32: rows(next..<next + N), shape: [N, D]), "images": Tensor(u8: [UInt8](repeating: 1, count: images), shape: [images])])
            record.metadata["epoch"] = epoch(number)
            record.metadata["step"] = "\(number)"
            change(number, &record)
            try writer.write(record)
            next += N
        }
        try writer.commit()
        return (place, TeacherSample.Reader(ReadAhead(try StreamReader(place.path("in")))))
    }

    private func steps(_ reader: TeacherSample.Reader) throws -> [String] {
        var steps: [String] = []
        while let record = try reader.next() { steps.append(record.metadata["step"] ?? "") }
        return steps
    }

    @Test(arguments: [[Int](repeating: 64, count: 40), [Int](repeating: 100, count: 20), [2000, 3], [1024, 5], [1, 1023, 9]])
    func `the sample is the first 1024 rows, however they are batched, and every record is still read`(batches: [Int]) throws {
        let (place, reader) = try reader(batches)
        let sample = try #require(try reader.sample("teacher"))
        #expect(sample == Tensor(f32: rows(0..<1024), shape: [1024, D]))
        #expect(try steps(reader) == batches.indices.map { "\($0)" })
        withExtendedLifetime(place) {}
    }

    @Test func `fewer rows are all of them, and none is nothing`() throws {
        let (place, few) = try reader([10, 20])
        #expect(try few.sample("teacher") == Tensor(f32: rows(0..<30), shape: [30, D]))
        #expect(try steps(few) == ["0", "1"])
        let (other, none) = try reader([])
        #expect(try none.sample("teacher") == nil && steps(none).isEmpty)
        withExtendedLifetime((place, other)) {}
    }

    @Test func `another epoch, another width, a row that is none and a record without rows end it, and are read all the same`() throws {
        let spoilers: [(Int, inout TensorDocument) -> Void] = [
            { if $0 == 2 { $1.metadata["epoch"] = "1" } }, { if $0 == 2 { $1.tensors["teacher"] = nil } },
            { if $0 == 2 { $1.tensors["teacher"] = Tensor(f32: [1, 0, 0], shape: [1, 3]) } },
            { if $0 == 2 { $1.tensors["teacher"] = Tensor(f32: [1, 1, 0, 0], shape: [1, 4]) } },
            { if $0 == 2 { $1.tensors["teacher"] = Tensor(f32: [.nan, 1, 0, 0], shape: [1, 4]) } },
        ]
        for spoil in spoilers {
            let (place, reader) = try reader([8, 8, 8, 8], change: spoil)
            #expect(try reader.sample("teacher") == Tensor(f32: rows(0..<16), shape: [16, D]))
            #expect(try steps(reader) == ["0", "1", "2", "3"])
            withExtendedLifetime(place) {}
        }
    }

    @Test func `large images end it early`() throws {
        let (place, reader) = try reader([Int](repeating: 8, count: 8), images: 90 << 20)
        #expect(try reader.sample("teacher")?.shape == [24, D])
        #expect(try steps(reader).count == 8)
        withExtendedLifetime(place) {}
    }

    @Test func `a stream that is cut is told while it is sampled`() throws {
        let (place, _) = try reader([Int](repeating: 8, count: 8))
        let bytes = try place.bytes("in")
        try place.write(bytes.prefix(bytes.count / 2), to: "cut")
        let reader = TeacherSample.Reader(ReadAhead(try StreamReader(place.path("cut"))))
        let found = failure { _ = try reader.sample("teacher") }
        #expect(found?.kind == .data && found?.path == place.path("cut"), "\(found?.description ?? "none")")
    }
}
