import Foundation
import TensorStreams
import TestSupport
import Testing

extension Workplace {
    /// A folder with drawn images, an untrained student and teacher, and streams of six batches of 16:
    ///
    /// | `pictures/train`, `pictures/test` | 96 and 32 images of 4 classes                |
    /// | `student`, `teacher`              | tiny-resnet10 with embeddings of 16 numbers    |
    /// | `views`, `pairs`                  | one view, two views of the images            |
    /// | `taught`                          | one view and the teacher's embeddings          |
    static func training() throws -> Workplace {
        let place = try Workplace()
        let result = try place.run("""
            synthesize --classes 4 --train 96 --test 32 --size 24 -q -o pictures
            initialize --network tiny-resnet10 --embedding 16 -q -o student
            initialize --network tiny-resnet10 --embedding 16 --seed 5 -q -o teacher
            augment --data pictures/train --size 16 --batch 16 -q -o views
            augment --data pictures/train --size 16 --batch 16 --views 2 -q -o pairs
            embed --weights teacher views -q -o taught
            """)
        try #require(result.error.isEmpty, "\(result.error)")
        return place
    }

    /// Expects that `line` fails as documented: with this status, one line that begins with the tool's name and
    /// contains all of `words`, and every file unchanged.
    func expectFailure(_ line: String, _ status: Int32, _ words: String..., location: SourceLocation = #_sourceLocation) throws {
        let before = try contents()
        let result = try run(line)
        let tool = line.split(separator: "|").last?.split(separator: " ").first.map(String.init) ?? ""
        #expect(result.status == status, "\(line): \(result.status) \(result.error)", sourceLocation: location)
        #expect(result.lines.count == 1 && result.error.hasPrefix("\(tool): "), "\(line): \(result.error)", sourceLocation: location)
        for words in words { #expect(result.error.contains(words), "\(line): \(result.error)", sourceLocation: location) }
        #expect(try contents() == before, "\(line)", sourceLocation: location)
    }

    func document(_ name: String) throws -> TensorDocument { try DocumentFile.read(path(name)) }

    /// Writes a copy of the document `name` modified by `change`.
    func change(_ name: String, into copy: String, _ change: (inout TensorDocument) throws -> Void) throws {
        var document = try document(name)
        try change(&document)
        try DocumentFile.write(document, to: path(copy))
    }

    /// Writes a copy of the stream `name` with records modified by `change`; those for which it returns nil are left
    /// out.
    func change(_ name: String, into copy: String, _ change: (Int, TensorDocument) throws -> TensorDocument?) throws {
        let (header, records) = try read(name)
        let writer = try StreamWriter(path(copy), header: header)
        for (number, record) in records.enumerated() {
            if let record = try change(number, record) { try writer.write(record) }
        }
        try writer.commit()
    }
}
