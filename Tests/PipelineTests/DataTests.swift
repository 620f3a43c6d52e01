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
        #expect(result.output.contains("The pictures have no labels, so there is nothing to evaluate with"))
        #expect(result.output.contains("runs/a/student.safetensors") && place.exists("runs/a/student.safetensors"))
        #expect(!place.exists("runs/a/table.txt"))
        // With labelled pictures to evaluate on there is something to say.
        let supervised = try place.run(place.make("b", "DATA=$PWD/flat"))
        #expect(supervised.status != 0 && supervised.error.contains("has pictures without a label; put pictures in folders named for their classes"))
    }

    @Test func `a given teacher is not trained`() throws {
        let place = try Workplace.pictures()
        try place.run("initialize --network tiny-resnet18 --embedding 16 --seed 3 -q -o mine.safetensors")
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors"))
        #expect(result.status == 0, "\(result.error)")
        #expect(try place.contents("runs/a").filter { $0.hasPrefix("teacher") }.isEmpty && !result.output.contains("training the teacher"))
        let narrow = try place.run(place.make("b", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors EMBEDDING=8"))
        #expect(narrow.status != 0 && narrow.error.contains("make a student with initialize --embedding 16") && !place.exists("runs/b/student.1.safetensors"))
    }

    @Test func `data and teachers that are not there, and numbers that are none, are named before anything is done`() throws {
        let place = try Workplace.pictures()
        for (settings, words) in [
            ("DATA=$PWD/nowhere", "nowhere: there is no such file or folder"),
            ("DATA=$PWD/pictures/train TEACHER=$PWD/nobody", "nobody: there is no such file"),
            ("DATA=$PWD/pictures/train TEST=$PWD/nothing.tar", "nothing.tar: there is no such file or folder"),
            ("DATA='$PWD/my pictures'", "make takes no name with spaces"),
            ("DATA=$PWD/pictures/train EPOCHS=many", "EPOCHS=many: a whole number above 0 is expected"),
            ("DATA=$PWD/pictures/train SIZE=0", "SIZE=0: a whole number above 0 is expected"),
        ] {
            let result = try place.run(place.make("a", settings))
            #expect(result.status == 2 && result.error.contains(words), "\(result.error)")
            #expect(!place.exists("runs/a"))
        }
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
        // Two of 128 are too many.
        try place.write("text", to: "folder/\(names[77])")
        let refused = try place.run(place.make("b", settings))
        #expect(refused.status == 2 && refused.error.contains("2 pictures are broken, more than 1 % of them") && refused.error.contains("--allow-bad"))
        #expect(try place.contents("runs/b").filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".part") } == ["student.0.safetensors", "teacher.0.safetensors"])
        let allowed = try place.run(place.make("b", settings + " FLAGS=--allow-bad"))
        #expect(allowed.status == 0 && allowed.output.contains("126 train, 32 test"), "\(allowed.error)")
    }

    @Test func `a student of no known name is found out before the teacher is made`() throws {
        let place = try Workplace()
        try place.run("synthesize --classes 2 --train 32 --test 32 --size 24 -q -o pictures")
        let refused = try place.run(place.make("a") + " STUDENT=resnet19")
        #expect(refused.status == 2 && refused.error.contains("no network is named 'resnet19'; there are"), "\(refused.error)")
        #expect(try !place.contents("runs/a").contains { $0.hasSuffix(".safetensors") })
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
