import Networks
public import Objectives
public import TensorStreams
import ToolSupport

extension TrainingState {
    /// Takes the classes of a stream on which a classifier is trained.
    ///
    /// For other methods, forgets the classes of an earlier classifier.
    ///
    /// - Parameters:
    ///   - path: the checkpoint, for messages.
    ///   - name: the stream, for messages.
    /// - Throws: ``Failure`` `data` where the head is no classifier with this number of classes, or one of other
    ///   classes.
    public mutating func takeClasses(_ method: any Objective.Type, _ options: MethodOptions, _ header: StreamHeader, path: String, stream name: String) throws {
        guard method.trainsClassifier else { return classes = nil }
        let named: [String]?
        do { named = try method.classes(options, header) } catch let failure as Failure where failure.path == nil {
            throw Failure(failure.kind, path: name, failure.what, remedy: failure.remedy)
        }
        let remedy = "give it a new classifier: initialize --from \(path.printableLine(limit: 80)) --classes \(named.map { "\($0.count)" } ?? "C")"
        guard let width = weights.network.head.dimension else {
            throw Failure(.data, path: path, "has no classifier, which --objective \(method.name) trains", remedy: remedy)
        }
        guard let named else { return }
        guard width == named.count else {
            throw Failure(.data, path: path, "has a head of \(width) numbers where there are \(named.count) classes", remedy: remedy)
        }
        if let classes, let difference = ClassDifference.text("the checkpoint", classes, "the stream", named) {
            throw Failure(.data, path: path, difference, remedy: remedy)
        }
        classes = named
    }
}
