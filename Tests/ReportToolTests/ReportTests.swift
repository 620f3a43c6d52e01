import Foundation
import TensorStreams
import TestSupport
import Testing

/// The page of a run, made by make and by the tool alone.
struct ReportTests {
    private static let data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"

    private func make(_ name: String, _ settings: String, _ target: String = "distill") -> String {
        """
        make --no-print-directory -C '\(Workplace.root)' \(target) BUILD=no RUNS=$PWD/runs NAME=\(name) SIZE=16 EMBEDDING=16 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 EPOCHS=2 \
        TEACHER_NETWORK=tiny-resnet10 TEACHER_OBJECTIVE=supervised-contrastive TEACHER_BATCH=16 TEACHER_EPOCHS=1 \(settings)
        """
    }

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.perform("synthesize -o pictures --classes 4 --train 96 --test 32 --size 24 --seed 3 -q")
        return place
    }

    @Test func `a run ends in a page that holds all it shows, in the same bytes whatever the threads`() throws {
        let place = try place(), done = try place.run(make("a", "\(Self.data) PROBE=1"))
        try #require(done.status == 0, "\(done.error)")
        let page = try place.text("runs/a/report.html")
        for title in ["Results", "Training", "Classes", "Map of the images", "Nearest images", "What the student saw", "Times", "How to reproduce it"] {
            #expect(page.contains("\(title)</h2>"), "\(title)")
        }
        #expect(page.utf8.count < 10_000_000 && page.contains("2 epochs, all done.") && page.contains("data:image/jpeg;base64,"))
        #expect(page.ranges(of: "<figure class=\"map\">").count == 4 && page.ranges(of: "<figure class=\"chart\"").count > 4 && page.contains("k-NN top-1 (k=10)"))
        for link in ["http:", "https:", " src=", "@import", "<link"] { #expect(!page.contains(link), "\(link)") }
        #expect(done.output.contains("report.html"))
        for threads in [1, 3] {
            try place.perform("augment --data runs/a/data/train @runs/a/options/report.augment -q | report --run runs/a --views - --threads \(threads) -q -o \(threads).html")
            let same = try place.bytes("\(threads).html") == place.bytes("runs/a/report.html")
            #expect(same)
        }
        #expect(try place.run("report --run runs/a -q -o -").output.contains("</html>"))
        // The page from the run's stage is left alone; made again by make, it has the same bytes.
        let before = try place.bytes("runs/a/report.html"), again = try place.run(make("a", "", "report"))
        #expect(again.status == 0 && again.error.contains("runs/a/report.html"), "\(again.error)")
        try place.perform("rm runs/a/done/report")
        #expect(try place.run(make("a", "", "report")).status == 0)
        let made = try place.bytes("runs/a/report.html")
        #expect(made == before)
        // Other images under the old numbers would appear under wrong names.
        try place.perform("cp -r pictures/train kept; rm $(find pictures/train -name '*.tar' | head -1)")
        #expect(try place.run("report --run runs/a -o other.html").error.contains("has changed since features were made from it; the page omits its pictures"))
    }

    @Test func `a run that is under way has a page of what there is`() throws {
        let place = try place()
        // Like a run in its third epoch, evaluated after the first.
        try place.perform(make("a", "\(Self.data) EPOCHS=3 PROBE=1"))
        try place.perform("cd runs/a; rm report.html student.3.safetensors student.safetensors; rm -f done/{report,table,student,student.3} done/{features,evaluation}.student.[23].*; rm evaluation/student.[23].*")
        let told = try place.run(make("a", "", "report"))
        try #require(told.status == 0 && told.error.contains("runs/a/report.html"), "\(told.error)")
        let page = try place.text("runs/a/report.html")
        #expect(page.contains("In progress: 2 of 3 epochs are done.") && page.contains("student after epoch 1") && page.contains("Nearest images</h2>"))
        #expect(try place.run(make("none", "", "report")).error.contains("NAME=none: there is no such run in"))
    }

    @Test func `without labels it shows what there is, and images that are gone leave their names`() throws {
        let place = try place()
        try place.perform("mkdir x flat; for t in pictures/train/*.tar; do tar -C x -xf $t; done; n=0; for f in $(find x -name '*.jpg'); do n=$((n+1)); cp $f flat/$n.jpg; done")
        let done = try place.run(make("a", "DATA=$PWD/flat TEACHER_OBJECTIVE=moco-v2"))
        try #require(done.status == 0, "\(done.error)")
        let page = try place.text("runs/a/report.html")
        #expect(page.contains("teacher&#39;s neighbours (k=10)") && !page.contains("Classes</h2>") && page.contains("Nearest images</h2>") && page.contains("data:image/jpeg"))
        try place.perform("mv flat elsewhere")
        let gone = try place.run("report --run runs/a")
        #expect(gone.status == 0 && gone.error.contains("the page omits its pictures"), "\(gone.error)")
        #expect(try !place.text("runs/a/report.html").contains("data:image/jpeg") && place.text("runs/a/report.html").contains("image 0"))
    }

    @Test func `runs are compared by what they are worth and what differs in their settings, and it is told how far they are`() throws {
        let place = try place()
        try place.perform("\(make("a", Self.data)); \(make("b", "\(Self.data) EPOCHS=3 QUEUE=64"))")
        let compared = try place.run(make("", "NAMES='a b'", "compare").replacing("NAME= ", with: ""))
        try #require(compared.status == 0, "\(compared.error)")
        let lines = compared.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.contains(["QUEUE", "32", "64"]) && lines.contains(["EPOCHS", "2", "3"]) && !lines.contains { $0.first == "SIZE" }, "\(compared.output)")
        #expect(try compared.output.contains("k-NN top-1 (k=10)") && place.text("runs/compare.html").contains("What differs</h2>"))
        #expect(try place.run(make("", "NAMES=a", "compare").replacing("NAME= ", with: "")).error.contains("a comparison needs several runs"))
        #expect(try place.run(make("", "NAMES='a c'", "compare").replacing("NAME= ", with: "")).error.contains("NAME=c: there is no such run"))
        #expect(try place.run("report --run runs/a --run runs/a").error.contains("twice"))
        let status = "make --no-print-directory -C '\(Workplace.root)' status BUILD=no RUNS=$PWD/runs"
        try place.perform("rm runs/b/done/student.3 runs/b/student.3.safetensors; truncate -s 100 runs/b/log/student.1.jsonl")
        let told = try place.run("\(status); flock -o runs/b/lock sleep 30 & holder=$!; sleep 0.2; \(status) NAME=b; kill $holder")
        #expect(told.output.contains("student 2 of 2, teacher 1 of 1  all is done") && told.output.contains("% (student.2)") && told.output.contains("stopped before student.3"), "\(told.output)")
        #expect(told.output.contains("working on student.3") && told.output.contains("about "), "\(told.output)")
        #expect(try place.run("\(status) NAME=c").error.contains("there is no such run"))
    }

    @Test func `the logs' numbers are written for TensorBoard and as CSV`() throws {
        let place = try place()
        try place.perform(make("a", "\(Self.data) TENSORBOARD=1"))
        let file = try place.bytes("runs/a/tensorboard/student/events.out.tfevents.seed")
        // The first record: its length, the length's checksum, and TensorBoard's file signature.
        #expect(file.prefix(8) == Data([24, 0, 0, 0, 0, 0, 0, 0]) && file.dropFirst(8).prefix(4) == Data([0xA3, 0x7F, 0x4B, 0x22]))
        #expect(file.dropFirst(12 + 11).prefix(13) == Data("brain.Event:2".utf8) && file.dropFirst(12 + 24).prefix(4) == Data([0xEE, 0xDF, 0x28, 0xA3]))
        try place.perform("report --run runs/a --tensorboard --csv metrics.csv -q -o /dev/null")
        let table = try place.text("metrics.csv").split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        #expect(table[0].prefix(3) == ["network", "epoch", "step"] && table[0].contains("kl") && table.allSatisfy { $0.count == table[0].count } && table.contains { $0[0] == "student" && $0[1] == "1" })
        #expect(table.dropFirst().first?[0] == "teacher", "\(table)")
        // The student's accuracy at the end of its last epoch.
        let column = try #require(table[0].firstIndex(of: "knn_top1")), judged = table.dropFirst().filter { !$0[column].isEmpty }
        let worth = try JSON(parsing: place.text("runs/a/evaluation/student.2.knn.json"))["results"]?.asArray?.first { $0["k"]?.asInteger == 10 && $0["vote"]?.asString == "majority" }?["top1"]?.asNumber
        #expect(judged.count == 1 && judged[0].prefix(2) == ["student", "1"] && Double(judged[0][column]) == worth, "\(judged)")
        let same = try place.bytes("runs/a/tensorboard/student/events.out.tfevents.seed") == file
        #expect(same)
    }

    @Test(.enabled(if: Workplace.runs("python3 -c 'import tensorboard'"), "Python has no tensorboard"))
    func `TensorBoard's own package reads the logs' numbers`() throws {
        let place = try place()
        try place.perform(make("a", "\(Self.data) TENSORBOARD=1"))
        try place.write("""
            import json, sys
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
            events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
            events.Reload()
            print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
            """, to: "read.py")
        let read = try place.run("python3 read.py runs/a/tensorboard/student 2> /dev/null")
        let json = try JSON(parsing: read.output), loss = json["loss"]?.asArray ?? []
        let expected = try (1...2).flatMap { try place.text("runs/a/log/student.\($0).jsonl").split(separator: "\n") }.map { try JSON(parsing: String($0))["loss"]?.asNumber ?? 0 }
        #expect(loss.count == expected.count && zip(loss, expected).allSatisfy { abs(($0.asArray?[1].asNumber ?? 0) - $1) < 1e-5 }, "\(read.output)")
        #expect(json["knn_top1"]?.asArray?.map { $0.asArray?[0].asInteger } == [0, 2000], "\(read.output)")
        #expect(loss.last?.asArray?[0].asInteger == 2000 && json["kl"] != nil && json["learning_rate"] != nil)
    }

    @Test func `damage is told or passed over, and nothing is left half-written`() throws {
        let place = try place()
        try place.perform(make("a", Self.data))
        let before = try place.bytes("runs/a/report.html")
        let damages = [
            "echo '{' > runs/b/log/student.1.jsonl", "echo '[]' > runs/b/evaluation/student.2.knn.json", "truncate -s 40 runs/b/evaluation/teacher.linear.json",
            #"sed -i 's/"confusions":\[/"confusions":[[9,0,1],[-1,2,3],["x"],/' runs/b/evaluation/student.2.knn.json"#, "rm runs/b/log/*", "rm -r runs/b/evaluation", "rm -r runs/b/features",
        ]
        for damage in damages {
            let result = try place.run("rm -rf runs/b; cp -r runs/a runs/b; \(damage); report --run runs/b -o b.html")
            let isWhole = try result.status == 0 && place.exists("b.html") && place.text("b.html").contains("</html>")
            #expect(isWhole, "\(damage): \(result.error)")
        }
        for (damage, status) in [("truncate -s 300 runs/b/features/student.2.test.tensors.zst", 65), ("rm runs/b/stages", 66), ("rm -r runs/b", 66)] as [(String, Int32)] {
            let result = try place.run("rm -rf runs/b b.html; cp -r runs/a runs/b; \(damage); report --run runs/b -o b.html")
            #expect([status, 65].contains(result.status) && !place.exists("b.html") && result.error.split(separator: "\n").count == 1, "\(damage): \(result.status) \(result.error)")
        }
        let same = try place.bytes("runs/a/report.html") == before
        #expect(same)
        for wrong in ["report", "report --run runs/a --views missing", "report --run runs/a -o /dev/null/x", "report --run runs/a --views runs/a/student.safetensors"] {
            #expect(try place.run(wrong).status != 0, "\(wrong)")
        }
    }
}
