import Foundation
import TensorStreams
import TestSupport
import Testing

/// TEACHERS: one student of several teachers, each with a part of the embedding.
struct TeachersTests {
    private static let data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"
    private static let two = "METHOD=seed-teachers TEACHERS=\"$PWD/a.safetensors $PWD/other/b.safetensors\""

    /// Teachers with different networks and widths.
    private func place() throws -> Workplace {
        let place = try Workplace.images()
        try place.perform("""
            mkdir other; initialize --network tiny-resnet10 --embedding 16 --seed 1 -q -o a.safetensors
            initialize --network tiny-resnet18 --embedding 24 --seed 2 -q -o other/b.safetensors; initialize --network tiny-resnet10 --embedding 16 --seed 3 -q -o c.safetensors
            """)
        return place
    }

    private func distill(_ place: Workplace, _ name: String, _ settings: String) throws -> Workplace.Result {
        try place.run("make --no-print-directory -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=\(name) SIZE=16 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 EPOCHS=2 \(Self.data) \(settings)")
    }

    @Test func `a student learns from teachers of unlike widths, which are told apart in table, log and page`() throws {
        let place = try place()
        let result = try distill(place, "two", Self.two)
        try #require(result.status == 0, "\(result.error)")
        #expect(result.error.contains("  teachers     a is \(place.path("a.safetensors")): tiny-resnet10, embeddings of 16 numbers; b is \(place.path("other/b.safetensors")): tiny-resnet18, embeddings of 24 numbers"), "\(result.error)")
        #expect(result.output.contains("teacher a ") && result.output.contains("teacher b ") && result.output.contains("student after "), "\(result.output)")
        let log = try String(decoding: place.bytes("runs/two/log/student.2.jsonl"), as: UTF8.self)
        #expect(log.contains("\"loss_a\":") && log.contains("\"loss_b\":"))
        let page = try String(decoding: place.bytes("runs/two/report.html"), as: UTF8.self)
        #expect(page.contains("teacher a") && page.contains("teacher b"))
        // The same with the tools alone.
        try place.perform("""
            grep -q '^a,b$' runs/two/options/student.train; initialize @runs/two/options/student.begin -q -o student.0.safetensors
            augment --data pictures/train @runs/two/options/student.augment --epoch 0 -q | embed --weights runs/two/teacher.safetensors --as teacher.a -q | embed --weights runs/two/teacher-b.safetensors --as teacher.b -q |
              train-step - @runs/two/options/student.train --epochs 2 -q --student student.0.safetensors -o student.1.safetensors
            """)
        let same = try place.bytes("runs/two/student.1.safetensors") == place.bytes("student.1.safetensors")
        #expect(same)
        #expect(try place.toDo(distill(place, "two", Self.two)) == "nothing: all is done")
    }

    @Test func `stored rows of several teachers, and several students, end in the same bytes`() throws {
        let place = try place()
        for (name, settings) in [("plain", ""), ("stored", "STORE=2"), ("both", "STUDENTS='tiny-resnet10 tiny-resnet18' STORE=1 EPOCHS=1")] {
            let result = try distill(place, name, "\(Self.two) \(settings)")
            try #require(result.status == 0, "\(name): \(result.error)")
        }
        let (plain, stored) = (try place.results("plain"), try place.results("stored"))
        for (file, bytes) in plain {
            let same = stored[file] == bytes
            #expect(same, "\(file)")
        }
        let rows = try place.read("runs/stored/store/teacher.1.tensors.zst").records
        #expect(rows.allSatisfy { $0.names == ["index", "teacher.a", "teacher.b", "views"] })
    }

    @Test func `another second teacher does what follows from it again, and no more`() throws {
        let place = try place()
        try #require(try distill(place, "two", Self.two).status == 0)
        let before = try place.times("two")
        let three = "METHOD=seed-teachers TEACHERS=\"$PWD/a.safetensors $PWD/other/b.safetensors $PWD/c.safetensors\""
        let more = try distill(place, "two", three)
        #expect(more.status == 0 && more.output.contains("teacher c "), "\(more.error)")
        let after = try place.times("two")
        for (file, time) in before where file.contains("/teacher") { #expect(after[file] == time, "\(file)") }
        #expect(after["student.1.safetensors"] != before["student.1.safetensors"] && after["features/teacher-c.test.tensors.zst"] != nil)
        // The bytes of one teacher change.
        try place.perform("initialize --network tiny-resnet18 --embedding 24 --seed 7 -q -o other/b.safetensors")
        let changed = try distill(place, "two", three)
        let last = try place.times("two")
        #expect(changed.status == 0 && changed.error.contains("the content of DATA, TEST or TEACHERS has changed since"), "\(changed.error)")
        #expect(last["features/teacher-b.test.tensors.zst"] != after["features/teacher-b.test.tensors.zst"] && last["features/teacher-c.test.tensors.zst"] == after["features/teacher-c.test.tensors.zst"])
        // Back to one teacher, and again to several.
        let one = try distill(place, "two", "METHOD=seed TEACHER=$PWD/c.safetensors")
        #expect(one.status == 0 && !place.exists("runs/two/teacher-b.safetensors") && !one.output.contains("teacher a"), "\(one.error)")
        let page = try place.text("runs/two/report.html")
        #expect(!page.contains("TEACHERS"))
        let again = try distill(place, "two", three)
        #expect(again.status == 0 && again.output.contains("teacher a"), "\(again.error)")
        #expect(try place.text("runs/two/settings").contains("TEACHER=\(place.path("c.safetensors"))\n"))
    }

    @Test func `a teacher that changes while it is at work is found out`() throws {
        let place = try place()
        let result = try place.run("""
            trap 'kill $! 2> /dev/null' EXIT
            while sleep 0.02; do if [ -e runs/two/student.0.safetensors ]; then initialize --network tiny-resnet18 --embedding 24 --seed 9 -q -o other/b.safetensors; break; fi; done &
            make --no-print-directory -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=two SIZE=16 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 EPOCHS=40 \(Self.data) \
              METHOD=seed-teachers TEACHERS="$PWD/a.safetensors $PWD/other/b.safetensors"
            """)
        #expect(result.status == 2 && result.error.contains("other/b.safetensors: was changed while make was running"), "\(result.error)")
    }

    @Test func `what does not go together is said`() throws {
        let place = try place()
        for (settings, words) in [
            ("METHOD=seed-teachers", "METHOD=seed-teachers learns from several teachers, and TEACHERS names none"),
            ("TEACHER=none TEACHERS='a b'", "does not apply to METHOD=seed; METHOD=seed-teachers learns from several teachers"),
            ("METHOD=seed-teachers TEACHERS=\"$PWD/a.safetensors nowhere.safetensors\"", "TEACHERS=nowhere.safetensors: cannot open it"),
            ("METHOD=seed-teachers TEACHERS=\"$PWD/a.safetensors $PWD/a.safetensors\"", "is listed twice"),
            ("\(Self.two) TEACHER=\(place.path("c.safetensors"))", "is not the first of TEACHERS="),
            ("\(Self.two) TEACHER=none", "is not the first of TEACHERS="),
            ("\(Self.two) TEACHER_COMMAND=cat", "TEACHER_COMMAND=cat is one teacher"),
            ("\(Self.two) EMBEDDING=16", "has embeddings of 40 numbers where EMBEDDING=16"),
            ("\(Self.two) STUDENT_OPTIONS='--teachers x,y'", "--teachers has its own setting; give TEACHERS instead"),
            ("\(Self.two) STUDENT_OPTIONS='--teacher-weights 1'", "--teacher-weights has 1 numbers where --teachers has 2 names"),
        ] {
            let result = try distill(place, "wrong", settings)
            #expect(result.status == 2 && result.error.contains(words) && !place.exists("runs/wrong"), "\(settings): \(result.error)")
        }
        // Typed as a run's page shows it.
        #expect(try distill(place, "told", "\(Self.two) TEACHER=\(place.path("a.safetensors")) EPOCHS=1").status == 0)
    }
}
