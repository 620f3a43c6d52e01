import Foundation
import TensorStreams
import TestSupport
import Testing

struct DataTests {
    @Test func `a folder, its tar and its compressed tar give the same student`() throws {
        let place = try Workplace.pictures()
        let result = try place.run("""
            set -e
            mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done
            tar cf whole.tar -C folder .; tar czf packed.tgz -C folder .
            """)
        try #require(result.status == 0, "\(result.error)")
        var students: [Data] = []
        for data in ["folder", "whole.tar", "packed.tgz"] {
            let name = data.split(separator: ".").joined()
            let result = try place.run(place.make(name, "DATA=$PWD/\(data) TEST=$PWD/pictures/test"))
            try #require(result.status == 0, "\(result.error)")
            #expect(result.output.contains("teacher") && result.output.contains("student before") && result.output.contains("student after"))
            students.append(try place.weights("runs/\(name)/student.safetensors"))
        }
        #expect(students[0] == students[1] && students[1] == students[2])
    }

    @Test func `without TEST one half of the pictures judges what the other half teaches`() throws {
        let place = try Workplace.pictures()
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train"))
        try #require(result.status == 0, "\(result.error)")
        #expect(result.output.contains("48 train, 48 test"))
        func indices(_ part: String) throws -> Set<Int> {
            Set(try place.read("runs/a/features/student.2.\(part).tensors.zst").records.flatMap { try $0.tensor("index", .i64, shape: [nil]).integers() })
        }
        let (train, test) = (try indices("train"), try indices("test"))
        #expect(train.isDisjoint(with: test) && train.union(test) == Set(0..<96))
        // A teacher that is told labels does not see those that it is judged by.
        #expect(try place.text("runs/a/log/teacher.1.jsonl").contains(#""images":48"#))
        #expect(try place.text("runs/a/log/student.1.jsonl").contains(#""images":96"#))
    }

    @Test func `pictures without labels are distilled, and make says what evaluation lacks`() throws {
        let place = try Workplace.pictures()
        try place.run("""
            mkdir folder flat; for f in pictures/train/*.tar; do tar xf $f -C folder; done; n=0
            for f in folder/*/*.jpg; do cp $f flat/$((++n)).jpg; done
            """)
        let result = try place.run(place.make("a", "DATA=$PWD/flat TEACHER_OBJECTIVE=moco-v2"))
        #expect(result.status == 0, "\(result.error)")
        #expect(result.error.contains("has no labels, so there is nothing to evaluate with"))
        #expect(result.output.contains("runs/a/student.safetensors") && place.exists("runs/a/student.safetensors"))
        #expect(!place.exists("runs/a/table.txt"))
        let supervised = try place.run(place.make("b", "DATA=$PWD/flat"))
        #expect(supervised.status == 2 && supervised.error.contains("has no labels, which TEACHER_OBJECTIVE=supervised-contrastive needs") && !place.exists("runs/b"))
        // Labelled pictures to evaluate on judge by themselves: one half by the labels of the other.
        let judged = try place.run(place.make("c", "DATA=$PWD/flat TEST=$PWD/pictures/test TEACHER_OBJECTIVE=moco-v2"))
        #expect(judged.status == 0 && judged.output.contains("16 train, 16 test"), "\(judged.error)")
    }

    @Test func `a given teacher is not trained`() throws {
        let place = try Workplace.pictures()
        try place.run("initialize --network tiny-resnet18 --embedding 16 --seed 3 -q -o mine.safetensors")
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors"))
        #expect(result.status == 0, "\(result.error)")
        #expect(try place.contents("runs/a").filter { $0.hasPrefix("teacher") } == ["teacher.safetensors"] && !result.output.contains("training the teacher"))
        let narrow = try place.run(place.make("b", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors EMBEDDING=8"))
        #expect(narrow.status != 0 && narrow.error.contains("has embeddings of 16 numbers where EMBEDDING=8") && !place.exists("runs/b"))
    }

    @Test func `a stage that fails names its log, and leaves what is done`() throws {
        let place = try Workplace.pictures()
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test STUDENT_OPTIONS=\"--loss 'exit 3'\""))
        #expect(result.status == 2 && result.error.contains("student.1 has failed; the reason is in \(place.path("runs/a/log/student.1.log"))"), "\(result.error)")
        #expect(try place.text("runs/a/log/student.1.log").contains("ended with exit status 3"))
        #expect(try place.contents("runs/a").filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".part") }
            == ["student.0.safetensors", "teacher.0.safetensors", "teacher.1.safetensors", "teacher.safetensors"])
    }

    @Test func `one broken picture among many is left out, named and counted; more need to be allowed`() throws {
        let place = try Workplace()
        try place.run("""
            synthesize --classes 4 --train 128 --test 32 --size 24 -q -o pictures
            mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done
            """)
        let names = try place.contents("folder").filter { $0.hasSuffix(".jpg") }
        try #require(names.count == 128)
        try place.write(try place.bytes("folder/\(names[40])").prefix(300), to: "folder/\(names[40])")
        let settings = "DATA=$PWD/folder TEST=$PWD/pictures/test"
        let result = try place.run(place.make("a", settings))
        #expect(result.status == 0, "\(result.error)")
        for log in ["teacher.1", "student.1", "student.2", "features.student.2.train"] {
            let lines = try place.text("runs/a/log/\(log).log").split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("augment: ") && $0.contains(names[40]) && $0.hasSuffix("left out") } == 1, "\(log): \(lines)")
        }
        #expect(result.output.contains("127 train, 32 test"))
        // Two of 128 are too many, and their headers tell it.
        try place.write("text", to: "folder/\(names[77])")
        let refused = try place.run(place.make("b", settings))
        #expect(refused.status == 2 && refused.error.contains("2 of its 128 pictures are broken, more than 1 %") && refused.error.contains("FLAGS=--allow-bad"))
        #expect(!place.exists("runs/b"))
        let allowed = try place.run(place.make("b", settings + " FLAGS=--allow-bad"))
        #expect(allowed.status == 0 && allowed.output.contains("126 train, 32 test"), "\(allowed.error)")
    }
}

extension Workplace {
    /// The bytes behind the header of a safetensors file: its numbers, whatever its provenance says.
    fileprivate func weights(_ name: String) throws -> Data {
        let bytes = try bytes(name)
        let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return bytes.dropFirst(8 + length)
    }
}
