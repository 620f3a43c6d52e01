import Foundation
import TensorStreams
import TestSupport
import Testing

struct BenchmarkTests {
    @Test func `help has an example and what to see also`() throws {
        for line in ["benchmark --help", "benchmark measure --help", "benchmark turn --help"] {
            let result = try Workplace().run(line)
            #expect(result.status == 0 && result.error.isEmpty, "\(line)")
            if line == "benchmark --help" { #expect(result.output.contains("benchmark resnet18 --size 64") && result.output.contains("See also: train-step")) }
        }
    }

    @Test(arguments: [
        ("vgg16", "no network is named 'vgg16'; "), ("--size 7", "--size takes 8 to 4096, found 7"), ("--batch 0", "--batch takes"),
        ("--seconds -1", "--seconds"), ("--seconds nan", "--seconds"), ("--turns 0", "--turns takes"), ("--pairs 0", "--pairs takes"), ("--only fly", "--only"),
        ("--threads 0", "--threads"), ("turn fly resnet18", "fly"), ("turn train", "network"), ("turn train vgg16", "no network is named 'vgg16'"),
        ("turn train resnet18 --batch 65537", "--batch takes"),
    ])
    func `a wrong command line is 64 and says why`(options: String, words: String) throws {
        let result = try Workplace().run("benchmark \(options)")
        #expect(result.status == 64 && result.lines.count == 1 && result.error.hasPrefix("benchmark: ") && result.error.contains(words), "\(result.error)")
    }

    /// The lines of a file, each a JSON object.
    private func objects(_ text: String) throws -> [JSON] { try text.split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) } }

    private let tiny = "benchmark tiny-resnet10 --size 16 --batch 4 --seconds 0.01 --turns 3"

    @Test func `a measurement has its numbers in the table and, consistent, in the file`() throws {
        let place = try Workplace()
        let result = try place.run("\(tiny) --threads 2 -q -o out")
        try #require(result.status == 0 && result.error.isEmpty, "\(result.error)")
        let lines = result.output.split(separator: "\n").filter { $0.contains("tiny-resnet10") }
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("×") && $0.contains("MiB") && $0.contains("%") })
        #expect(result.output.contains("training step 16×16") && result.output.contains("forward 16×16"))
        let objects = try objects(place.text("out"))
        try #require(objects.count == 3)
        func number(_ object: JSON, _ key: String) -> Double { object[key]?.asNumber ?? .nan }
        let (machine, train, embed) = (objects[0], objects[1], objects[2])
        // Any processor of this century reaches a billion operations a second, and none reaches a hundred trillion.
        for key in ["gigaflops", "gigaflops_one_thread"] { #expect((1...1e5).contains(number(machine, key)), "\(key)") }
        for key in ["gigabytes_per_second", "gigabytes_per_second_one_thread"] { #expect((0.1...1e4).contains(number(machine, key)), "\(key)") }
        #expect(train["measures"]?.asString == "train" && embed["measures"]?.asString == "embed")
        for object in [train, embed] {
            let seconds = number(object, "seconds_per_batch")
            #expect(seconds > 0 && abs(number(object, "images_per_second") * seconds - 4) < 1e-6)
            #expect(number(object, "seconds_per_batch_one_thread") > 0 && number(object, "threads") == 2)
            // The process needs at least the memory of the network; a few gigabytes would not be this process.
            #expect((4e6...1e9).contains(number(object, "peak_memory")))
            #expect(number(object, "gigaflops") > 0 && number(object, "bytes_moved_per_batch") > 0)
        }
        // Work does not depend on time: a training step is three times the forward pass, except for the images'
        // gradient.
        let work = [train, embed].map { number($0, "gigaflops") * number($0, "seconds_per_batch") }
        #expect((2.5...3).contains(work[0] / work[1]))
    }

    @Test func `a turn is measured whenever a line says so`() throws {
        let place = try Workplace()
        let result = try place.run("(echo run; echo run) | benchmark turn train tiny-resnet10 --size 16 --batch 2 --seconds 0.01")
        try #require(result.status == 0, "\(result.error)")
        let objects = try objects(result.output)
        #expect(objects.count == 4 && objects[0]["ready"]?.asBool == true)
        #expect(objects[1...2].allSatisfy { ($0["seconds"]?.asNumber ?? 0) > 0 } && (objects[3]["memory"]?.asInteger ?? 0) > 4_000_000)
        let wrong = try place.run("echo walk | benchmark turn train tiny-resnet10 --size 16 --batch 2 --seconds 0.01")
        #expect(wrong.status == 65 && wrong.error.contains("'walk', expected 'run'"), "\(wrong.error)")
    }

    /// A peer that claims a hundred seconds for a batch, or fifty in its mode `channels-last`, and fails in the mode
    /// `compile`.
    private let peer = """
        [ $1 = versions ] && { echo '{"versions": "Peer 1.2"}'; exit; }
        while [ $1 != --mode ]; do shift; done
        case $2 in channels-last) seconds=50;; compile) echo no compiler here >&2; exit 1;; *) seconds=100;; esac
        echo '{"ready": true}'
        while read -r word; do echo $word $seconds >> turns; echo "{\\"seconds\\": $seconds}"; done
        echo '{"memory": 1048576000}'
        """

    @Test func `ours takes turns with the best way of a peer, and the ratio is theirs to ours`() throws {
        let place = try Workplace()
        try place.write(peer, to: "peer")
        let result = try place.run("\(tiny) --only train --pairs 3 --peers 'bash peer' --messages messages -o out")
        try #require(result.status == 0, "\(result.error)")
        #expect(result.output.contains("Peer 1.2") && result.output.contains("PyTorch channels_last") && result.output.contains("fails"))
        #expect(try place.text("messages") == "no compiler here\n")
        // Two quick turns of each mode, then three turns of the best alone: the other mode is too slow to be a close
        // second. Each turn is repeated up to five times if other tests take the processor away.
        let turns = try place.text("turns").split(separator: "\n"), slow = turns.prefix { $0 == "run 100" }.count
        #expect((2...10).contains(slow) && (5...25).contains(turns.count - slow) && turns[slow...].allSatisfy { $0 == "run 50" })
        #expect(result.output.contains("were discarded") || turns.count == 7)
        let comparison = try #require(try objects(place.text("out")).last)
        #expect(comparison["best"]?.asString == "PyTorch channels_last" && comparison["seconds_per_batch_peer"]?.asNumber == 50)
        let ours = try #require(comparison["seconds_per_batch"]?.asNumber), ratios = try #require(comparison["ratios"]?.asArray)
        #expect(ratios.count == 3)
        // Both values contain the median of the turns.
        #expect(abs((comparison["ratio"]?.asNumber ?? 0) * ours / 50 - 1) < 1e-9)
        let memory = try #require(comparison["peak_memory"]?.asNumber)
        #expect(abs((comparison["memory_ratio"]?.asNumber ?? 0) - memory / 1_048_576_000) < 1e-9)
        #expect(comparison["peers"]?.asArray?.compactMap { $0["failure"]?.asString }.count == 1)
    }

    @Test func `a peer that talks rubbish, or cannot be started, is named`() throws {
        let place = try Workplace()
        for (peer, words) in [("echo hello;:", "peers: says 'hello', expected \"versions\""), ("./nothing", "peers: ended before it answered")] {
            let result = try place.run("\(tiny) --only train --peers '\(peer)' --messages /dev/null -q -o out")
            #expect(result.status == 65 && result.error.contains(words), "\(result.error)")
            #expect(!place.exists("out") && !place.hasUnfinished)
        }
    }
}
