import ArgumentParser
import Evaluation
import TensorStreams
import ToolSupport

struct KNN: ParsableCommand {
    enum Metric: String, ExpressibleByArgument, CaseIterable { case cosine }

    static let configuration = CommandConfiguration(
        commandName: "knn",
        abstract: "Classify the test samples by their nearest training samples.",
        discussion: """
            The neighbours are exact. One search serves every k and every vote: the majority, and exp(cosine / temperature). If classes \
            have equal votes, the one with the nearest neighbour wins. The test set is held in memory; the training set is streamed.

            Protocols:
            \(KNN.protocols)

            Example:
              evaluate knn --train train.tensors.zst --test test.tensors.zst \\
                --k 1,10,20,200 --temperature 0.07,0.1 -o knn.json

            See also: evaluate linear, embed.
            """)

    @OptionGroup var options: EvaluationOptions

    @Option(name: .customLong("protocol"), help: "Use the k and votes of this paper for options that are not given: \(KNNProtocol.all.map(\.name).joined(separator: ", ")).",
            completion: .list(KNNProtocol.all.map(\.name)))
    var protocolName: String?

    @Option(help: "Number of neighbours that vote; several separated by commas (default: the protocol's, else 1,10,20,200, up to the number of training samples).")
    var k: String?

    @Option(help: "How they vote: majority, weighted, or both separated by a comma (default: the protocol's, else both).")
    var vote: String?

    @Option(help: "Temperature of the weighted votes; several separated by commas (default: the protocol's, else 0.07).")
    var temperature: String?

    @Option(help: "The similarity measure.")
    var metric = Metric.cosine

    @OptionGroup var common: TimedOptions

    func validate() throws {
        try options.checkFiles(timing: common.timing)
        if let k { try numbers(k, "--k", Int.init) { (1...KNNEvaluation.largestK).contains($0) } }
        if let temperature { try numbers(temperature, "--temperature", Double.init) { $0.isFinite && $0 > 0 } }
        if let protocolName, KNNProtocol.named(protocolName) == nil {
            throw unknownName("--protocol", protocolName, among: KNNProtocol.all.map(\.name))
        }
        let votes = try votes()
        if temperature != nil, votes == [.majority] { throw ValidationError("--temperature applies only to weighted votes; give --vote weighted, or leave it out") }
    }

    /// One line per protocol.
    private static let protocols = KNNProtocol.all.map { one in
        "  \(one.name): \(one.source); k = \(one.k.map { "\($0)" }.joined(separator: ", ")), \(one.votes.map(\.name).joined(separator: ", "))"
    }.joined(separator: "\n")

    private var paper: KNNProtocol? { protocolName.flatMap(KNNProtocol.named) }

    private func votes() throws -> [NeighbourVote] {
        let own = paper?.votes ?? [.majority, .weighted(temperature: 0.07)]
        let temperatures = try temperature.map { try numbers($0, "--temperature", Double.init) }
        let weighted = temperatures?.map { NeighbourVote.weighted(temperature: $0) } ?? own.filter { $0 != .majority }
        guard let vote else { return own.filter { $0 == .majority } + (own == [.majority] ? [] : weighted) }
        let names = vote.split(separator: ",", omittingEmptySubsequences: false)
        guard names.allSatisfy({ ["majority", "weighted"].contains($0) }) else { throw ValidationError("--vote takes majority, weighted or both separated by a comma, found '\(vote)'") }
        return (names.contains("majority") ? [.majority] : []) + (names.contains("weighted") ? weighted.isEmpty ? [.weighted(temperature: 0.07)] : weighted : [])
    }

    func run() throws {
        try common.start()
        let result = try options.output.open()
        var evaluation = KNNEvaluation()
        evaluation.k = try k.map { try numbers($0, "--k", Int.init) } ?? paper?.k
        evaluation.votes = try votes()
        evaluation.paper = protocolName.map { changed($0, [("--k", k != nil), ("--vote", vote != nil), ("--temperature", temperature != nil)]) }
        evaluation.tensor = options.tensor
        let test = try FeatureStream(options.test, tensor: options.tensor)
        let train = try FeatureStream(options.train, tensor: options.tensor)
        var progress = Progress(tool: "evaluate", unit: "training samples", total: train.header.imageCount, common)
        let report = try evaluation.run(train: train, test: test) { progress.add($0) }
        progress.clear()
        if !common.quiet { report.subject.remarks.forEach(Evaluate.log) }
        try result.write(text: report.text, json: report.json)
        try progress.finish("\(report.subject.test.samples) test samples")
    }
}

/// A paper's name, with the options that differ from it.
func changed(_ paper: String, _ given: [(String, Bool)]) -> String {
    let changes = given.filter(\.1).map(\.0)
    return changes.isEmpty ? paper : "\(paper) with another \(listed(changes, quote: ""))"
}

/// The numbers of a comma-separated list, each of which must satisfy the predicate.
@discardableResult
func numbers<Number>(_ text: String, _ option: String, _ parse: (String) -> Number?, _ predicate: (Number) -> Bool = { _ in true }) throws -> [Number] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let number = parse(part.filter { $0 != " " }), predicate(number) else {
            throw ValidationError("\(option) cannot be '\(part)'")
        }
        return number
    }
}
