import Evaluation
import Foundation
import History
import TestSupport
import Testing
import ToolSupport

struct HistoryTests {
    private func result(_ run: String, _ value: Double, identity: String = "i", correct: String? = "ff0") -> History.Result {
        History.Result(run: run, network: "student", epoch: 3, identity: identity, test: "t", measure: "knn_top1", value: value, samples: 12, correct: correct, protocolName: "k=10")
    }

    private func failure(_ body: () throws -> Void) -> Failure? {
        do { try body() } catch { return error as? Failure }
        return nil
    }

    @Test func `what is noted is there when it is opened again, and nights are in their order whatever the clock says`() throws {
        let place = try Workplace(), path = place.path("h.sqlite")
        let odd = "a'b\"); DROP TABLE night;--é"
        do {
            let history = try History(path), first = try history.beginNight("2026-01-02T03:04:05Z")
            #expect(!first.goesOn && first.night.id == 1)
            try history.add(result(odd, 71.5), in: first.night)
            try history.add(result("b", 10, correct: nil), in: first.night)
            try history.add(result("b", 20, correct: nil), in: first.night)
        }
        // An interrupted night goes on.
        let history = try History(path), again = try history.beginNight("2026-01-03T00:00:00Z")
        #expect(again.goesOn && again.night.id == 1 && again.night.began == "2026-01-02T03:04:05Z")
        try history.end(again.night, "2026-01-03T00:00:09Z")
        let second = try history.beginNight("1970-01-01T00:00:00Z")
        #expect(!second.goesOn && second.night.id == 2)
        try history.add(result("b", 30), in: second.night)
        #expect(try history.nights().map { "\($0.id) \($0.began) \($0.ended ?? "-")" } == ["1 2026-01-02T03:04:05Z 2026-01-03T00:00:09Z", "2 1970-01-01T00:00:00Z -"])
        #expect(try history.results(run: "b").map { "\($0.night) \($0.result.value)" } == ["1 20.0", "2 30.0"])
        #expect(try history.results(run: "b", network: "other").isEmpty && history.results().count == 3)
        #expect(try history.results().contains { $0.result.run == odd && (try? history.correct($0.result, night: 1)) == "ff0" })
    }

    @Test func `a file that is none, is cut short, is another program's or of a newer version is told and left as it is`() throws {
        let place = try Workplace()
        func make(_ name: String) throws -> String {
            let history = try History(place.path(name)), night = try history.beginNight("x").night
            for i in 0..<200 { try history.add(result("run \(i)", Double(i)), in: night) }
            return place.path(name)
        }
        let whole = try make("whole")
        try place.write("this is no database at all, but a text that somebody has put there", to: "text")
        let bytes = try place.bytes("whole")
        for length in [100, 4000, 4096, 5000, 8192, bytes.count / 2, bytes.count - 1] {
            try bytes.prefix(length).write(to: URL(filePath: place.path("cut")))
            let found = failure { _ = try History(place.path("cut")) }
            #expect(found?.kind == .data && found?.remedy != nil, "\(length): \(found?.description ?? "none")")
            let same = try place.bytes("cut") == bytes.prefix(length)
            #expect(same, "\(length)")
        }
        #expect(failure { _ = try History(place.path("text")) }?.kind == .data)
        let newer = try make("newer")
        try Database(newer).run("PRAGMA user_version = 2")
        #expect(failure { _ = try History(newer) }?.description.contains("has version 2, but this program supports 1") == true)
        let other = try Database(place.path("other"))
        try other.run("CREATE TABLE x (y)")
        #expect(failure { _ = try History(place.path("other")) }?.description.contains("of another program") == true)
        #expect(failure { _ = try History(place.path("none/h.sqlite")) }?.kind == .cannotCreate)
        #expect(try History(whole).results().count == 200)
    }

    /// By hand, and with the two-sided exact p of scipy.stats.binomtest.
    @Test(arguments: [
        ("f0f0", "f0f0", 16, 0, 0, 1.0, false), ("ffff", "0fff", 16, 4, 0, 0.125, false), ("ff00", "00ff", 16, 8, 8, 1.0, false), ("fffff", "c0fff", 20, 6, 0, 0.03125, true),
        ("f8000", "00fff", 18, 5, 10, 0.30175781250000006, false), ("fff", "ff8", 10, 1, 0, 1.0, false),
    ]) func `pairs are compared sample by sample`(_ before: String, _ after: String, _ samples: Int, _ lost: Int, _ won: Int, _ p: Double, _ hasFallen: Bool) throws {
        let pair = try #require(PairedComparison(before, after, samples: samples))
        #expect(pair.lost == lost && pair.won == won && abs(pair.probability - p) < 1e-9 && pair.hasFallen() == hasFallen, "\(pair) \(pair.probability)")
        #expect(abs(pair.difference - Double(won - lost) / Double(samples)) < 1e-12)
    }

    @Test func `one that was the best of many by chance is no fall`() throws {
        let pair = try #require(PairedComparison("fffff", "c0fff", samples: 20))
        #expect(pair.hasFallen() && !pair.hasFallen(comparisons: 2))
    }

    @Test func `what is no such text is compared with nothing, and many samples overflow nothing`() throws {
        for (a, b, n) in [("ff", "f", 8), ("fg", "ff", 8), ("ff", "ff", 9), ("", "", 0)] { #expect(PairedComparison(a, b, samples: n) == nil) }
        let n = 400_000, pair = try #require(PairedComparison(String(repeating: "f", count: n / 4), String(repeating: "7", count: n / 4), samples: n))
        #expect(pair.lost == n / 4 && pair.probability == 0 && pair.hasFallen(comparisons: 1000))
    }
}
