import TensorStreams
import TestSupport
import Testing

struct AgainstTests {
    /// A build that takes 50 s for each batch.
    private let other = """
        #!/bin/bash
        echo "$@" > asked
        echo '{"ready": true}'
        while read -r word; do echo $word >> turns; echo '{"seconds": 50}'; done
        echo '{"memory": 1048576000}'
        """

    @Test func `two builds take turns, and each pair has its ratio`() throws {
        let place = try Workplace()
        try place.write(other, to: "build/benchmark")
        try place.perform("chmod +x build/benchmark")
        let result = try place.run("benchmark tiny-resnet10 --size 16 --batch 4 --seconds 0.01 --only train --threads 2 --against build --pairs 6 -o out")
        try #require(result.status == 0, "\(result.error)")
        #expect(try place.text("asked") == "turn train tiny-resnet10 --size 16 --batch 4 --threads 2 --seconds 0.01\n")
        // Each turn is repeated up to five times if other tests take the processor away.
        let turns = try place.text("turns").split(separator: "\n")
        #expect((6...30).contains(turns.count) && turns.allSatisfy { $0 == "run" })
        let line = try JSON(parsing: Array(place.text("out").utf8.dropLast()))
        let ours = try #require(line["seconds_per_batch"]?.asNumber)
        let ratios = try #require(line["ratios"]?.asArray).compactMap { $0.asNumber }
        #expect(ratios.count == 6 && line["ratio_low"]?.asNumber == ratios.min() && line["ratio_high"]?.asNumber == ratios.max())
        #expect(ratios.allSatisfy { $0 > 50 } && (0...1).contains(ours) && line["seconds_per_batch_other"]?.asNumber == 50)
        #expect(result.output.contains("1000 MiB") && result.output.contains("No workload is slower"))
    }

    @Test(arguments: [("--against nowhere", "nowhere has no benchmark"), ("--against . --peers cat", "give one"), ("--against . --pairs 5", "--pairs takes 6 to 1000 with --against")])
    func `what cannot be compared is said at once`(options: String, words: String) throws {
        let result = try Workplace().run("benchmark \(options)")
        #expect(result.status == 64 && result.error.contains(words), "\(result.error)")
    }
}
