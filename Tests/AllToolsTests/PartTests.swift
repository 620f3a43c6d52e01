import Foundation
import Testing
import TestSupport
import ToolSupport

/// The unfinished file beside an output.
struct PartTests {
    let place: Workplace
    init() throws { place = try Workplace() }

    private func part(_ name: String, _ number: Int = 1) -> String { name + ".\(getpid())" + (number > 1 ? ".\(number)" : "") + ".part" }

    private func write(_ text: String, to name: String) throws {
        var file = try OutputFile(place.path(name))
        try file.write(text)
        try file.commit()
    }

    @Test(arguments: ["victim", "nowhere"]) func `a link that lies at the part's name is neither followed nor touched`(target: String) throws {
        try place.write("mine", to: "victim")
        try FileManager.default.createSymbolicLink(atPath: place.path(part("out")), withDestinationPath: place.path(target))
        try write("new", to: "out")
        #expect(try place.text("out") == "new" && place.text("victim") == "mine")
        #expect(try place.contents() == ["out", part("out"), "victim"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: place.path(part("out"))) == place.path(target))
    }

    @Test func `what a dead process of the same number left is in nobody's way`() throws {
        for number in 1...5 { try place.write("old \(number)", to: part("out", number)) }
        try write("new", to: "out")
        #expect(try place.text("out") == "new")
        do { _ = try OutputFile(place.path("dropped")) }
        for number in 1...5 { #expect(try place.text(part("out", number)) == "old \(number)") }
        #expect(try place.contents().count == 6)
    }

    @Test func `a part that another program has put its own file in place of is neither renamed nor removed`() throws {
        func replace(_ name: String) throws {
            try place.write("another's", to: "other")
            #expect(rename(place.path("other"), place.path(part(name))) == 0)
        }
        var file = try OutputFile(place.path("out"))
        try file.write("new")
        try replace("out")
        do {
            try file.commit()
            Issue.record("it was renamed")
        } catch let failure as Failure {
            #expect(failure.kind == .io && failure.what.contains("was replaced by another program"))
        }
        do {
            _ = try OutputFile(place.path("dropped"))
            let dropped = try OutputFile(place.path("dropped"))
            try replace("dropped")
            _ = consume dropped
        }
        #expect(try place.contents() == [part("dropped"), part("out")].sorted())
        #expect(try place.text(part("out")) == "another's" && place.text(part("dropped")) == "another's")
    }

    @Test func `a link at the final name is replaced, and what it leads to stays`() throws {
        try place.write("kept", to: "target")
        for link in ["link", "dangling"] {
            try FileManager.default.createSymbolicLink(atPath: place.path(link), withDestinationPath: link == "link" ? "target" : "nowhere")
            try write("new", to: link)
            #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: place.path(link))) == nil)
            #expect(try place.text(link) == "new")
        }
        #expect(try place.text("target") == "kept" && place.contents() == ["dangling", "link", "target"])
    }

    @Test(arguments: ["a", "é", "漢"]) func `a name as long as the system takes it has a part too`(letter: String) throws {
        let name = String(repeating: letter, count: 255 / letter.utf8.count)
        try write("x", to: name)
        #expect(try place.contents() == [name])
        let failure = #expect(throws: Failure.self) { try write("x", to: String(repeating: "a", count: 256)) }
        #expect(failure?.kind == .cannotCreate)
    }

    @Test(arguments: ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]) func `a path that is an open descriptor is written as it is`(path: String) throws {
        let result = try place.run("initialize --network tiny-resnet10 -q -o a && initialize --network tiny-resnet10 -q -o \(path) > b && cmp a b")
        #expect(result.status == 0, "\(result.error)")
        #expect(try place.contents() == ["a", "b"])
    }

    /// Every signal that ends a process by default, except SIGKILL, which cannot be caught.
    static let signals: [CInt] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16, 24, 26, 27, 29, 30, 31, 34, 35, 50, 63, 64]

    @Test func `every signal that ends a tool leaves no part, and ends it as it does any program`() throws {
        let files = try Workplace()
        let queue = "synthesize -o s --train 16 --test 4 --classes 2 --size 16 --shards 1 -q; augment --data s/train --size 16 --batch 8 -q -o v"
        #expect(try files.run("\(queue); initialize --network tiny-resnet10 -q -o w").status == 0)
        for signal in PartTests.signals {
            let place = try Workplace()
            // For the tool the stream goes on: it waits for more with an unfinished file.
            let group = try place.start("ulimit -c 0; mkfifo in; (head -c 2000 \(files.path("v")); sleep 1000) > in & exec embed --weights \(files.path("w")) -q -o out in")
            // Asleep, so it has also registered the file: signals for its own faults are not blocked in the meantime.
            #expect(waitUntil { place.hasUnfinished && ProcessState(group.leader)?.isAsleep == true })
            kill(group.leader, signal)
            #expect(group.wait() == 128 + signal, "signal \(signal)")
            #expect(!place.hasUnfinished && !place.exists("out"), "signal \(signal)")
            group.end()
        }
    }

    @Test(arguments: ["initialize --network tiny-resnet10 -o out", "initialize --network tiny-resnet10 -o out.safetensors.zst"])
    func `a file larger than may be is 74 and one line, and no signal`(line: String) throws {
        let result = try place.run("ulimit -f 10; \(line)")
        #expect(result.status == 74 && result.lines.count == 1 && result.error.contains("File too large"), "\(result.error)")
        #expect(!place.hasUnfinished)
    }

    @Test func `processor time that is used up leaves no part`() throws {
        let result = try place.run("ulimit -c 0; ulimit -S -t 1; synthesize -o s --train 1000000 --test 4 --size 256 -q")
        #expect(result.status == 128 + SIGXCPU, "\(result.error)")
        #expect(!place.hasUnfinished)
    }
}
