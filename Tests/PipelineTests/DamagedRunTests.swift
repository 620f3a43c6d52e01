import Foundation
import TestSupport
import Testing

/// A finished run with one file damaged at a random place.
struct DamagedRunTests {
    @Test func `whatever file of a run is damaged, make says so or mends it, and ends in the same bytes`() throws {
        let place = try Workplace.images()
        let settings = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"
        try #require(try place.run(place.make("a", settings)).status == 0)
        let expected = try place.results("a")
        try #require(try place.run("cp -a runs whole").status == 0)
        let files = try place.contents("runs/a").filter { file in
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: place.path("runs/a/\(file)"), isDirectory: &isFolder) else { return false }
            // Writing to a link changes its target, which is listed under its own name.
            return !isFolder.boolValue && !file.hasPrefix("data/train") && !file.hasPrefix("data/test") && !["lock", "teacher.safetensors"].contains(file)
        }
        // The files that control the run, as opposed to its data: most of the bytes are in few files.
        let small = files.filter { file in ["done/", "options/", "data/"].contains { file.hasPrefix($0) } || ["settings", "stages"].contains(file) }
        try #require(small.count > 20 && files.count > small.count + 20)
        var tally = Tally(), refused = 0
        for round in 0..<Effort.rounds(16, long: 500) {
            var random = Effort.random("run", round: round)
            let file = (round % 3 == 0 ? files : small).randomElement(using: &random) ?? "settings"
            let bytes = try place.bytes("runs/a/\(file)")
            guard !bytes.isEmpty else { continue }
            let damage = Damage.random(size: bytes.count, using: &random)
            try place.write(damage.apply(to: bytes), to: "damaged")
            // The old timestamp, as if a disk had lost data.
            let keeps = Bool.random(using: &random) ? "touch -r whole/a/\(file) damaged; " : ""
            let result = try place.run("\(keeps)cat damaged > runs/a/\(file); \(keeps.isEmpty ? "" : "touch -r damaged runs/a/\(file); ")ulimit -c 0; \(place.make("a", settings))")
            let comment: Comment = "\(file): \(damage), \(Effort.place(round)): \(result.status) \(result.error)"
            // make reports an end by a signal, or by our own error, as "Error 132" and the like.
            let isTrap = ["Fatal error", "core dumped", "Illegal instruction", "Segmentation fault", "Error 1", "Error 70"].contains { result.error.contains($0) }
            #expect([0, 2].contains(result.status) && !isTrap, comment)
            if result.status == 0, file != "settings" {
                #expect(result.output.contains("student after"), comment)
                // A file that is no longer needed is set aside and not made again: the damaged file, or an intact one
                // whose record no longer matches it.
                let found = try place.results("a").filter { !$0.key.hasSuffix(".damaged") }
                let wrong = try expected.filter { name, bytes in
                    if let now = found[name] { return now != bytes }
                    return try !place.exists("runs/a/\(name).damaged") || name != file && place.bytes("runs/a/\(name).damaged") != bytes
                }
                #expect(wrong.keys.sorted() == [] && found.count <= expected.count, comment)
            } else if result.status == 0 {
                // Settings that are accepted are different settings: the result must equal a new run with them.
                try place.run("mkdir runs/b; cp runs/a/settings runs/b")
                try #require(try place.run(place.make("b", settings)).status == 0, comment)
                #expect(try place.results("a") == place.results("b"), comment)
            } else if result.status != 0 {
                // Only a file written by the user is left to the user to fix.
                refused += 1
                #expect(file == "settings", comment)
            }
            #expect(!place.hasUnfinished, comment)
            tally.add("\(damage.kind)")
            try place.run("rm -r runs; cp -a whole runs")
        }
        #expect(!tally.description.isEmpty)
        Effort.report("damaged files of a run: \(tally); \(refused) settings were refused")
    }
}
