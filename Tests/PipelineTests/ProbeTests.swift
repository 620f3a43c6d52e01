import Foundation
import TestSupport
import Testing

/// PROBE: students are evaluated during training.
struct ProbeTests {
    private static let data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"

    private func stages(_ result: Workplace.Result) -> [String] {
        result.lines.filter { $0.hasPrefix("== ") }.map { String($0.dropFirst(3)) }.filter { $0.contains("student") && !$0.hasPrefix("student.0") }
    }

    @Test func `every second epoch is judged before the next, and the student is the one that it would be without`() throws {
        let place = try Workplace.images()
        let probed = try place.run(place.make("probed", "\(Self.data) EPOCHS=5 PROBE=2 KEEP=1"))
        try #require(probed.status == 0, "\(probed.error)")
        let along = { (n: Int) in ["features.student.\(n).test", "features.student.\(n).train", "evaluation.student.\(n).knn"] }
        let found = stages(probed), middle = Array(found[0..<11])
        #expect(middle[0...1] == ["student.1", "student.2"] && middle[2...4].sorted() == along(2).sorted() && middle[4] == along(2)[2], "\(found)")
        #expect(middle[5...6] == ["student.3", "student.4"] && middle[7...9].sorted() == along(4).sorted() && middle[10] == "student.5", "\(found)")
        #expect(probed.error.contains("student.2: k-NN top-1 ") && probed.error.contains("student.4: k-NN top-1 "), "\(probed.error)")
        #expect(probed.output.contains("student, k-NN top-1 after epochs 2: ") && probed.output.contains(" %, 4: "), "\(probed.output)")
        let plain = try place.run(place.make("plain", "\(Self.data) EPOCHS=5 KEEP=1"))
        try #require(plain.status == 0, "\(plain.error)")
        #expect(try place.bytes("runs/probed/student.5.safetensors") == place.bytes("runs/plain/student.5.safetensors"))
        #expect(try place.toDo(place.run(place.make("probed", "EPOCHS=5"))) == "nothing: all is done")
    }

    @Test func `a run that is judged along the way afterwards is so by the checkpoints that it has, and is not trained anew`() throws {
        let place = try Workplace.images()
        try place.perform(place.make("a", "\(Self.data) EPOCHS=4 KEEP=2"))
        let later = try place.run(place.make("a", "EPOCHS=4 PROBE=1"))
        #expect(later.status == 0 && stages(later).allSatisfy { $0.contains(".student.3.") } && stages(later).count == 3, "\(later.error)")
        #expect(later.output.contains("student, k-NN top-1 after epochs 3: ") && !later.output.contains("after epochs 1"), "\(later.output)")
        let whole = try place.results("a")
        // Missing results are made again; additional epochs are evaluated too.
        try place.perform("rm runs/a/evaluation/student.3.knn.json")
        let mended = try place.run(place.make("a", "EPOCHS=4"))
        #expect(try mended.status == 0 && stages(mended) == ["evaluation.student.3.knn"] && place.results("a") == whole, "\(mended.error)")
        let more = try place.run(place.make("a", "EPOCHS=6"))
        #expect(more.status == 0 && more.output.contains("after epochs 3: ") && more.output.contains(" %, 4: ") && more.output.contains(" %, 5: "), "\(more.output)\(more.error)")
    }

    @Test func `of several students each is judged, and one stage alone needs no probe`() throws {
        let place = try Workplace.images()
        let both = try place.run(place.make("both", "\(Self.data) STUDENTS='tiny-resnet10 tiny-resnet18' PROBE=1"))
        #expect(both.status == 0 && both.output.contains("tiny-resnet10, k-NN top-1 after epochs 1: ") && both.output.contains("tiny-resnet18, k-NN top-1 after epochs 1: "), "\(both.output)\(both.error)")
        let alone = try place.run("make --no-print-directory -C '\(Workplace.root)' stage BUILD=no RUNS=$PWD/runs NAME=both STAGE=student.2")
        #expect(alone.status == 0 && stages(alone) == ["student.2"], "\(alone.error)")
        #expect(try place.run(place.make("both", "PROBE=0")).error.contains("PROBE=0"))
    }
}
