import Foundation
import TensorStreams
import TestSupport
import Testing

struct SettingsTests {
    @Test func `a run that failed remembers its settings, quotes and all`() throws {
        let place = try Workplace.pictures()
        // As a person types it: without --no-print-directory, whose n is no -n.
        let make = place.make("a", #"DATA=$PWD/pictures/train TEST=$PWD/pictures/test STUDENT_OPTIONS="--loss 'queue-loss -q --queue-size 24'""#)
            .replacing("--no-print-directory ", with: "")
        let failed = try place.run("mkdir -p runs/a/student.1.safetensors; \(make)")
        #expect(failed.status == 2 && failed.error.contains("is a folder"), "\(failed.error)")
        let again = try place.run("rmdir runs/a/student.1.safetensors; make -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=a")
        #expect(again.status == 0 && again.output.contains("student after"), "\(again.error)")
        #expect(try place.text("runs/a/settings.mk").contains("STUDENT_OPTIONS ?= --loss 'queue-loss -q --queue-size 24'\n"))
        #expect(try place.text("runs/a/log/student.2.jsonl").contains(#""chance":3.2188"#))  // ln 25
    }

    @Test func `make -n tells what a changed option would redo, and changes nothing`() throws {
        let place = try Workplace.pictures()
        let none = try place.run(place.make("a").replacing("make ", with: "make -n ", maxReplacements: 1))
        #expect(none.status == 0 && none.output.contains("student.2") && !place.exists("runs"), "\(none.error)")
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.contents("runs")
        let options = try place.text("runs/a/options/student")
        let told = try place.run(place.make("a").replacing("make ", with: "make -n ", maxReplacements: 1) + " STUDENT_OPTIONS='--learning-rate 0.02'")
        #expect(told.output.contains("stage student.1") && !told.output.contains("stage teacher.1"), "\(told.output)")
        #expect(try place.contents("runs") == before && place.text("runs/a/options/student") == options)
    }

    @Test func `a run named by its data gives way to no other data of that name`() throws {
        let place = try Workplace.pictures()
        try place.run("mkdir other; cp -r pictures/train other")
        let make = { (data: String) in place.make("NAME", "DATA=$PWD/\(data)/train TEST=$PWD/pictures/test EPOCHS=1").replacing("NAME=NAME ", with: "") }
        try #require(try place.run(make("pictures")).status == 0)
        let before = try place.results("train")
        let refused = try place.run(make("other"))
        #expect(refused.status == 2 && refused.error.contains("runs/train is a run on") && refused.error.contains("NAME=train to take its place"), "\(refused.error)")
        #expect(try place.results("train") == before)
        #expect(try place.run(make("pictures")).status == 0)
        #expect(try place.run(make("other") + " NAME=train").status == 0)
        #expect(try place.text("runs/train/settings.mk").contains("other/train"))
    }

    @Test func `the table has the k-NN of features and of embeddings`() throws {
        let place = try Workplace.pictures()
        let result = try place.run(place.make("a"))
        let lines = result.output.split(separator: "\n")
        #expect(lines.contains { $0.split(separator: " ").joined(separator: " ") == "k-NN top-1 (k=10) embedding k-NN linear top-1 linear top-5" }, "\(result.output)")
        #expect(lines.contains("k-NN: k=10, cosine, majority, 96 train, 32 test, features 128-d"))
        #expect(lines.contains("embedding k-NN: k=10, cosine, majority, 96 train, 32 test, embedding 16-d"))
        let student = try place.read("runs/a/features/student.2.test.tensors.zst").records
        #expect(try student.first?.tensor("embedding", .f32, shape: [32, 16]) != nil)
    }
}
