import Evaluation
import History
import Pipeline
import TensorStreams
import ToolSupport

/// The result of `evaluate` for a checkpoint, as an entry of the history.
struct Measured {
    /// The k of the recorded result.
    private static let k = 10

    let result: History.Result

    /// - Throws: ``Failure`` `data` if the file is not such a result.
    init(_ path: String, of checkpoint: NewestCheckpoint) throws {
        let json = try JSONFile.read(path), wrong = Failure(.data, path: path, "is not a result of evaluate \(checkpoint.protocolName)")
        guard json["evaluation"]?.asString == checkpoint.protocolName else { throw wrong }
        let value: Double, samples: Int, measure: String, name: String, correct: String?
        if checkpoint.protocolName == "quality" {
            guard let count = (json["samples"]?["samples"])?.asInteger, let dimension = json["protocol"]?["dimension"]?.asInteger else { throw wrong }
            let agreements = json["agreement"]?.asArray ?? []
            if let nearest = agreements.last(where: { ($0["k"]?.asInteger ?? 0) <= Self.k }), let share = nearest["share"]?.asNumber {
                (value, measure, name) = (100 * share, "agreement", "the teacher's \(nearest["k"]?.asInteger ?? 0) nearest of \(count) images, cosine, features \(dimension)-d")
            } else {
                guard let deviation = json["deviation"]?.asNumber else { throw wrong }
                (value, measure, name) = (100 * deviation, "deviation", "of what evenly spread directions have, \(count) images, features \(dimension)-d")
            }
            (samples, correct) = (Int(count), nil)
        } else {
            // The result for k = 10, or for a smaller k if there are fewer images: the one that has a bit for each
            // sample.
            guard let results = json["results"]?.asArray, let classes = json["by_class"], let bits = classes["correct_samples"]?.asString,
                let classifier = classes["classifier"]?.asString,
                let own = results.first(where: { ($0["protocol"]?.asString ?? "").hasPrefix(classifier + ",") }),
                let top1 = own["top1"]?.asNumber, let count = own["samples"]?.asInteger, let text = own["protocol"]?.asString
            else { throw wrong }
            (value, samples, measure, name, correct) = (top1, Int(count), "knn_top1", text, bits)
        }
        result = History.Result(
            run: checkpoint.run, network: checkpoint.network, epoch: checkpoint.epoch, identity: checkpoint.identity, test: checkpoint.test, measure: measure, value: value,
            samples: samples, correct: correct, protocolName: name)
    }
}
