import Foundation
import History
import TensorStreams
import TestSupport
import Testing

/// Nightly evaluations of runs that learn, regress, change and disappear.
struct NightlyTests {
    private func make(_ name: String, _ settings: String) -> String {
        """
        make --no-print-directory -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=\(name) DATA=$PWD/pictures/train TEST=$PWD/pictures/test SIZE=16 BATCH=16 QUEUE=64 \
        STUDENT=tiny-resnet10 TEACHER=$PWD/teacher.safetensors \(settings)
        """
    }

    private func night(_ more: String = "") -> String { "make --no-print-directory -C '\(Workplace.root)' nightly BUILD=no RUNS=$PWD/runs \(more)" }

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.perform("synthesize -o pictures --classes 4 --train 240 --test 480 --size 24 --seed 3 -q; initialize --network tiny-resnet18 --embedding 16 --seed 3 -q -o teacher.safetensors")
        return place
    }

    @Test func `a week: first night, nothing new, better, fallen by more than chance, and each is noted`() throws {
        let place = try place()
        func learn(_ more: String) -> String {
            "make --no-print-directory -C '\(Workplace.root)' pretrain BUILD=no RUNS=$PWD/runs NAME=a DATA=$PWD/pictures/train TEST=$PWD/pictures/test SIZE=24 BATCH=16 METHOD=supervised STUDENT=tiny-resnet10 \(more)"
        }
        try place.perform(learn("EPOCHS=6"))
        let first = try place.run(night("ON_FALL=\"cat > '$PWD/told'\" PROMETHEUS=$PWD/seed.prom"))
        try #require(first.status == 0, "\(first.error)")
        #expect(first.output.hasPrefix("night 1, ") && first.output.contains("student      6  knn_top1") && first.output.contains("first"), "\(first.output)")
        let expected = try JSON(parsing: place.text("runs/a/evaluation/student.6.knn.json"))["results"]?.asArray?.first { $0["k"]?.asInteger == 10 && $0["vote"]?.asString == "majority" }?["top1"]?.asNumber
        let history = try History(place.path("runs/.nightly/history.sqlite")), noted = try history.results()
        #expect(noted.count == 1 && noted[0].result.value == expected && noted[0].result.samples == 480)
        #expect(try place.text("seed.prom").contains("seed_nightly_percent{run=\"a\",network=\"student\",measure=\"knn_top1\"} \(expected ?? -1)\n"))
        // Nothing is computed again.
        let second = try place.run(night())
        #expect(second.status == 0 && second.output.contains("unchanged") && !second.error.contains("epoch 6 of 6"), "\(second.output)\(second.error)")
        // The run continues and is spoilt: useless weights, as in a diverged run.
        try place.perform(learn("EPOCHS=7 STUDENT_OPTIONS='--learning-rate 30 --schedule constant'"))
        let fallen = try place.run(night("ON_FALL=\"cat > '$PWD/told'; echo heard; exit 3\""))
        let value = try history.results().last?.result.value ?? 0
        #expect(value < (expected ?? 0) - 10)
        #expect(fallen.status == 2 && fallen.output.contains("FALLEN") && fallen.error.contains("ended with exit status 3") && fallen.output.contains("heard\n"), "\(fallen.output)\(fallen.error)")
        let told = try place.text("told")
        #expect(fallen.output.replacing("heard\n", with: "") == told)
        #expect(try place.text("runs/.nightly/trends.html").contains("Something has fallen."))
        // It is reported once; the number for Prometheus stays. A file that cannot be written does not prevent the
        // report.
        let after = try place.run(night("ON_FALL='false' PROMETHEUS=$PWD/seed.prom"))
        #expect(after.status == 0 && after.output.contains("below its best") && after.output.contains("unchanged"), "\(after.output)\(after.error)")
        #expect(try place.text("seed.prom").contains("seed_nightly_fallen{run=\"a\",network=\"student\",measure=\"knn_top1\"} 1\n"))
        // Better than in the last night, but not as good as before: it has not fallen again.
        try place.perform(learn("EPOCHS=1 STUDENT_OPTIONS='--learning-rate 0.001'"))
        let risen = try place.run(night("ON_FALL='touch fell-again'"))
        #expect(risen.output.contains("below its best") && !risen.output.contains("unchanged"), "\(risen.output)\(risen.error)")
        #expect(risen.status == 0 && !place.exists("fell-again"), "\(risen.output)\(risen.error)")
        try place.perform("mkdir again; cp -r runs/a again/a; cp runs/.nightly/history.sqlite h")
        let firstNight = try Database(place.path("h"))
        for (table, column) in [("result", "night"), ("night", "id")] { try firstNight.run("DELETE FROM \(table) WHERE \(column) > 1") }
        let blocked = try place.run("nightly --runs again --history h --pipelines '\(Workplace.root)/pipelines' --prometheus missing/seed.prom --on-fall 'cat > heard' -q")
        #expect(blocked.status == 1 && blocked.error.contains("missing/seed.prom") && place.exists("heard"), "\(blocked.output)\(blocked.error)")
        // The report is done: the next run is a new night.
        let ended = try History(place.path("h")).nights().allSatisfy { $0.ended != nil }
        #expect(ended)
        #expect(try place.text("runs/.nightly/trends.html").contains("<figure class=\"chart\"") && !place.exists("runs/.nightly/work"))
    }

    @Test func `a run under way is judged without waiting for it, one whose images have changed is not, one that is gone is told`() throws {
        let place = try place()
        try place.perform("\(make("a", "EPOCHS=1")); \(make("b", "EPOCHS=2")); \(make("c", "EPOCHS=1"))")
        // Another process has held b's lock for hours; a's images have changed.
        try place.perform("cp -r pictures others; rm $(find others/train -name '*.tar' | head -1)")
        try place.perform("sed -i \"s#^DATA=.*#DATA=$PWD/others/train#\" runs/a/settings")
        let result = try place.run("flock -o runs/b/lock sleep 60 & holder=$!; sleep 0.2; \(night()); status=$?; kill $holder; exit $status")
        #expect(result.output.contains("\nb ") && result.output.contains("\nc ") && !result.output.split(separator: "\n").contains { $0.hasPrefix("a ") }, "\(result.output)\(result.error)")
        #expect(result.output.contains("a, student: trained with other images"), "\(result.output)")
        let gone = try place.run("rm -r runs/c; \(night())")
        #expect(gone.output.contains("c is gone; its history is kept"), "\(gone.output)")
    }

    @Test func `what an interrupted night has noted stays where there is a newer checkpoint, and an empty history is told`() throws {
        let place = try place()
        try place.perform("\(make("a", "EPOCHS=1")); \(night())")
        let path = place.path("runs/.nightly/history.sqlite"), first = try #require(try History(path).results().last?.result)
        let database = try Database(path)
        try database.run("UPDATE night SET ended = NULL")
        try database.run("UPDATE result SET value = 100, correct = ?", [.text(String(repeating: "f", count: (first.samples + 3) / 4))])
        let goesOn = try place.run(night())
        #expect(goesOn.status == 0 && goesOn.output.contains("resumes the night"), "\(goesOn.output)\(goesOn.error)")
        try database.run("UPDATE night SET ended = NULL")
        try place.perform(make("a", "EPOCHS=2"))
        let next = try place.run(night())
        #expect(next.output.contains("it is closed, and a new one begins") && next.output.contains("FALLEN"), "\(next.output)\(next.error)")
        let results = try History(path).results()
        #expect(results.map(\.night) == [1, 2] && results[0].result.value == 100)
        try place.perform("truncate -s 0 '\(path)'")
        let empty = try place.run(night())
        #expect(empty.status == 0 && empty.output.contains("history.sqlite exists but is empty, so a new history begins"), "\(empty.output)\(empty.error)")
    }

    @Test func `an interrupted night goes on, two at once do not work, and what is no history stays as it is`() throws {
        let place = try place()
        try place.perform(make("a", "EPOCHS=1"))
        try place.perform("cp -r runs/a runs/b; \(night())")
        let history = try History(place.path("runs/.nightly/history.sqlite"))
        let before = try history.results().map(\.result.value)
        // A night with changed programs evaluates everything anew. Once it is under way, kill it at a different point each
        // time: only nightly, whose programs live on for a while, or all.
        let tools = try place.run("dirname $(command -v nightly)").output.trimmingCharacters(in: .whitespacesAndNewlines)
        try place.perform("mkdir other; ln -s '\(tools)'/* other; rm other/{nightly,evaluate}; cp '\(tools)'/{nightly,evaluate} other; echo >> other/evaluate")
        var interrupted = 0
        for (delay, whom) in [(0.03, "-"), (0.15, ""), (0.3, "-"), (0.6, "")] {
            try place.perform("PATH=$PWD/other:$PATH; setsid nightly --runs runs --pipelines '\(Workplace.root)/pipelines' -q & n=$!; for i in {1..600}; do [ -e runs/.nightly/work ] && break; sleep 0.02; done; sleep \(delay); kill -9 -- \(whom)$n 2> /dev/null || true; wait $n || true")
            if try history.nights().last?.ended == nil { interrupted += 1 }
        }
        #expect(interrupted > 0)
        let again = try place.run("PATH=$PWD/other:$PATH; until nightly --runs runs --pipelines '\(Workplace.root)/pipelines' -q 2> said; do grep -q 'is locked' said || exit 1; sleep 0.1; done; cat said >&2")
        let after = try history.results().suffix(2).map(\.result.value)
        #expect(again.status == 0 && after == before, "\(again.output)\(again.error)")
        #expect(try history.nights().allSatisfy { $0.ended != nil } && !place.exists("runs/.nightly/work"))
        let two = try place.run("flock -o runs/.nightly/lock sleep 30 & holder=$!; sleep 0.2; nightly --runs runs; status=$?; kill $holder; exit $status")
        #expect(two.status == 74 && two.error.contains("another nightly is running"), "\(two.error)")
        for (damage, status) in [("echo no > h", 65), ("mkdir h", 73), ("cp runs/.nightly/history.sqlite h; truncate -s 5000 h", 65)] as [(String, Int32)] {
            let result = try place.run("rm -rf h; \(damage); nightly --runs runs --history h")
            #expect(result.status == status && result.error.split(separator: "\n").count == 1, "\(damage): \(result.status) \(result.error)")
        }
        #expect(try place.run("nightly --runs none").status == 66)
        let empty = try place.run("mkdir empty; nightly --runs empty")
        #expect(empty.status == 0 && empty.output.contains("nothing to evaluate"), "\(empty.output)\(empty.error)")
        // As cron starts it: with an empty environment.
        let bare = try place.run("P=$(command -v nightly); env -i \"$P\" --runs runs --pipelines '\(Workplace.root)/pipelines' -q")
        #expect(bare.status == 0, "\(bare.error)")
    }
}
