import Evaluation
import TestSupport
import Testing

struct NeighbourVoteTests {
    /// One query with neighbours of the given classes and cosines.
    private func count(
        _ classes: [Int32], _ cosines: [Float], label: Int32, k: [Int], vote: NeighbourVote = .majority
    ) -> [Accuracy] {
        let list = zip(classes.indices, cosines).map { Neighbour(similarity: $1, index: Int32($0)) }
        let neighbours = Neighbours(queries: 1, k: list.count, trainingSamples: list.count, list: list)
        return neighbours.accuracies(k: k, votes: [vote], trainLabels: classes, labels: [label], classes: 9).map(\.accuracy)
    }

    @Test func `agrees with scikit-learn for every k, both votes, top-1 and top-5, from one search`() throws {
        let golden = try Golden.evaluation()
        let search = NeighbourSearch(queries: try golden.matrix("knn.test"), k: 40)
        search.add(try golden.floats("knn.train"))
        let k = try golden.integers("knn.k")
        let votes = [.majority] + (try golden.doubles("knn.temperatures")).map { NeighbourVote.weighted(temperature: $0) }
        let results = search.finish().accuracies(
            k: k, votes: votes, trainLabels: try golden.labels("knn.train_labels"), labels: try golden.labels("knn.test_labels"), classes: 9)
        let (majority, weighted) = (try golden.integers("knn.majority"), try golden.integers("knn.weighted"))
        #expect(results.count == k.count * 3)
        for (i, result) in results.enumerated() {
            let (number, vote) = (i / 3, i % 3)
            let expected = vote == 0 ? majority[number * 2..<number * 2 + 2] : weighted[(number * 2 + vote - 1) * 2..<(number * 2 + vote) * 2]
            #expect(result.k == k[number] && result.vote == votes[vote])
            #expect([result.accuracy.top1, result.accuracy.top5] == Array(expected), "k \(result.k), \(result.vote)")
            #expect(result.accuracy.samples == 97)
        }
    }

    @Test func `what samples are taken for has the accuracy of the same vote, and is told by class`() throws {
        let golden = try Golden.evaluation(), trainLabels = try golden.labels("knn.train_labels"), labels = try golden.labels("knn.test_labels")
        let search = NeighbourSearch(queries: try golden.matrix("knn.test"), k: 40)
        search.add(try golden.floats("knn.train"))
        let neighbours = search.finish()
        for vote in [NeighbourVote.majority, .weighted(temperature: 0.07)] {
            let predictions = neighbours.predictions(k: 10, vote: vote, trainLabels: trainLabels, classes: 9)
            let accuracy = neighbours.accuracies(k: [10], votes: [vote], trainLabels: trainLabels, labels: labels, classes: 9)[0].accuracy
            #expect(zip(labels, predictions).count { $0 == $1 } == accuracy.top1)
            let report = ClassReport("own", classes: (0..<9).map { "\($0)" }, labels: labels, predictions: predictions)
            #expect(report.byClass.reduce(0) { $0 + $1.correct } == accuracy.top1 && report.byClass.reduce(0) { $0 + $1.samples } == labels.count)
            #expect(report.confusions.reduce(0) { $0 + $1.samples } == labels.count - accuracy.top1)
            for confusion in report.confusions {
                #expect(zip(labels, predictions).count { Int($0) == confusion.label && Int($1) == confusion.prediction } == confusion.samples)
            }
        }
    }

    @Test func `right and wrong samples are bits, and confusions come by their number`() {
        let report = ClassReport("own", classes: ["a", "b", "c"], labels: [0, 1, 2, 2, 1, 0], predictions: [0, 2, 2, 1, 2, 0])
        #expect(report.correctBits == "a4")
        #expect(report.confusions.map { [$0.label, $0.prediction, $0.samples] } == [[1, 2, 2], [2, 1, 1]])
        #expect(report.byClass.map { [$0.samples, $0.correct] } == [[2, 2], [2, 0], [2, 1]])
    }

    @Test func `the order of the k list does not matter`() {
        let classes: [Int32] = [2, 1, 1, 0, 0, 0]
        let cosines: [Float] = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
        #expect(count(classes, cosines, label: 1, k: [6, 1, 3]).map(\.top1) == [0, 0, 1])
        #expect(count(classes, cosines, label: 0, k: [6, 1, 3]).map(\.top1) == [1, 0, 0])
        #expect(count(classes, cosines, label: 2, k: [6, 1, 3]).map(\.top1) == [0, 1, 0])
    }

    @Test func `of classes with equal votes the one with the nearest neighbour wins`() {
        #expect(count([4, 3, 3, 4], [0.9, 0.8, 0.7, 0.6], label: 4, k: [4])[0].top1 == 1)
        #expect(count([4, 3, 3, 4], [0.9, 0.8, 0.7, 0.6], label: 3, k: [4])[0] == Accuracy(top1: 0, top5: 1, samples: 1))
        // Exactly equal weighted votes: the same rule.
        #expect(count([4, 3], [0.5, 0.5], label: 4, k: [2], vote: .weighted(temperature: 0.07))[0].top1 == 1)
        #expect(count([4, 3], [0.5, 0.5], label: 3, k: [2], vote: .weighted(temperature: 0.07))[0].top1 == 0)
    }

    @Test func `a class without a neighbour does not fill up the first five`() {
        #expect(count([1, 2], [0.9, 0.8], label: 3, k: [2])[0] == Accuracy(top1: 0, top5: 0, samples: 1))
        #expect(count([1, 2, 3, 4, 5, 6], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], label: 5, k: [6])[0].top5 == 1)
        #expect(count([1, 2, 3, 4, 5, 6], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], label: 6, k: [6])[0].top5 == 0)
    }

    @Test func `a low temperature listens to the nearest, a high one to the most, and none overflows`() {
        let classes: [Int32] = [1, 0, 0]
        let cosines: [Float] = [0.9, 0.8, 0.8]
        #expect(count(classes, cosines, label: 1, k: [3], vote: .weighted(temperature: 0.07))[0].top1 == 1)
        #expect(count(classes, cosines, label: 0, k: [3], vote: .weighted(temperature: 1))[0].top1 == 1)
        #expect(count(classes, cosines, label: 1, k: [3], vote: .weighted(temperature: 1e-300))[0].top1 == 1)
        #expect(count(classes, [-0.9, -0.95, -0.95], label: 1, k: [3], vote: .weighted(temperature: 1e-4))[0].top1 == 1)
    }
}
