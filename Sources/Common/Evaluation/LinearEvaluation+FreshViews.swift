import TensorStreams
import ToolSupport

extension LinearEvaluation {
    /// Trains on each record of `train` as a batch, once, in the stream's order. Only the test set is kept in memory.
    ///
    /// When training resumes from a state, epochs that the state already has are skipped. The stream may begin with the
    /// first epoch, or with the next one.
    func run(_ probe: StochasticProbe, freshViews train: FeatureStream, test: FeatureStream, progress: @escaping (String) -> Void) throws -> LinearReport {
        var probe = probe
        guard let names = train.classes, test.classes != nil else {
            throw Failure(.data, path: (train.classes == nil ? train : test).name, "names no classes, which fresh views need", remedy: "give augment images laid out as class/name.jpg")
        }
        guard let batch = train.header.metadata.count("batch") else {
            throw Failure(.data, path: train.name, "does not state its batch size", remedy: "make it with augment")
        }
        probe.batch = batch
        let held = try test.readAll(), spread = FeatureSpread(held.features)
        var twins = spread.isCollapsed(classes: names.count) ? nil : TwinSearch(held.features)
        // By name, because the class names are known before the training images arrive.
        let numbering = try ClassMatching(
            train: .init(name: train.name, classes: names, labels: names.indices.map { Int32($0) }), test: .init(name: test.name, classes: test.classes, labels: held.labels))
        if scaling == .unit { held.features.normalizeRows() }
        let ofTraining = ["samples", "recipe"].map { "\($0) \(train.header.metadata[$0] ?? "")" }
        var state = try state(probe, numbering, test, [held.features.fingerprint(held.labels)] + ofTraining)
        let search = twins == nil ? nil : NeighbourSearch(queries: held.features.copy, k: NearDuplicates.neighbours)
        /// From the first epoch that is read.
        var (known, labels, images) = (FeatureSpread.Sums?.none, [Int32](), [Int]())
        var first: Int?, sum = (epoch: state.curve.count, loss: 0.0, correct: 0, samples: 0)
        func end() throws {
            guard sum.samples > 0 else { return }
            try add(
                sum.epoch, sum.loss / Double(sum.samples), Double(sum.correct) / Double(sum.samples), probe, to: &state, judgedOn: (held.features, numbering.test), train, progress)
            sum = (sum.epoch + 1, 0, 0, 0)
        }
        while let batch = try train.next() {
            guard train.dimension == test.dimension else { throw test.dimensionFailure(train) }
            guard let epoch = batch.epoch else { throw Failure(.data, path: train.name, "has records without an epoch number", remedy: "make it with augment") }
            if first == nil { (first, known) = (epoch, FeatureSpread.Sums(dimension: train.dimension)) }
            if epoch == first {
                known?.add(batch.features)
                twins?.add(batch.features)
                search?.add(batch.features)
                labels += batch.labels
                images += batch.images
            }
            if epoch < sum.epoch { continue }
            if epoch == sum.epoch + 1 { try end() }
            if epoch >= probe.epochs { break }
            guard epoch == sum.epoch else {
                throw Failure(
                    .data, path: train.name, "continues with epoch \(epoch), expected epoch \(sum.epoch) (counted from 0)",
                    remedy: "give augment --epoch \(sum.epoch) and --epochs \(probe.epochs - sum.epoch)")
            }
            let rows = FeatureMatrix(batch.features, samples: batch.labels.count, dimension: train.dimension)
            if scaling == .unit { rows.normalizeRows() }
            state.begin()
            let step = state.trainer.step(rows, Array(0..<rows.samples)[...], labels: batch.labels, probe, rate: probe.rate(epoch: epoch))
            (sum.loss, sum.correct, sum.samples) = (sum.loss + step.loss, sum.correct + step.correct, sum.samples + rows.samples)
        }
        try end()
        guard !state.curve.isEmpty, let seen = known?.spread else { throw Failure(.data, path: train.name, "holds no samples") }
        let matching = try ClassMatching(
            train: .init(name: train.name, classes: names, labels: labels), test: .init(name: test.name, classes: test.classes, labels: held.labels))
        var subject = EvaluationSubject(tensor, matching, train: (train, images, seen), test: (test, held.images, spread), twins)
        let near = search.flatMap { NearDuplicates($0.finish(), test: held.images, train: images) }
        if let remark = near?.remark(twins: subject.testInTrain, tensor) { subject.remarks.append(remark) }
        if state.curve.count < probe.epochs {
            subject.remarks.append("the classifier was trained for \(state.curve.count) of the protocol's \(probe.epochs) epochs: the stream has no more (augment --epochs \(probe.epochs))")
        }
        let classifier = state.trainer.classifier
        return LinearReport(
            accuracy: classifier.accuracy(held.features, labels: matching.test), trainAccuracy: nil,
            solver: "\(probe.protocolName(freshViews: true, done: state.curve.count)), \(scaling.words) \(tensor) \(train.dimension)-d", details: probe.described(state.curve, freshViews: true), scaling: scaling, subject: subject,
            paper: paper, classes: classes(classifier, matching, train, held.features), nearDuplicates: near)
    }
}
