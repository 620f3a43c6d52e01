import Evaluation
import Testing
import ToolSupport

struct ClassMatchingTests {
    private func match(_ train: [String]?, _ trainLabels: [Int32], _ test: [String]?, _ testLabels: [Int32]) throws -> ClassMatching {
        try ClassMatching(train: .init(name: "train", classes: train, labels: trainLabels), test: .init(name: "test", classes: test, labels: testLabels))
    }

    @Test func `classes are matched by name, whatever their numbers`() throws {
        let matching = try match(["ant", "bee", "cat"], [0, 1, 2], ["cat", "ant"], [0, 1, 1])
        #expect(matching.byName && matching.count == 3)
        #expect(matching.train == [0, 1, 2] && matching.test == [2, 0, 0])
        #expect(matching.remarks == ["there are 3 classes, so top-5 is meaningless and is left out"] && !matching.hasTop5)
        let six = ["a", "b", "c", "d", "e", "f"]
        let more = try match(six, [0, 1, 2, 3, 4, 5], six, [0])
        #expect(more.remarks.isEmpty && more.hasTop5)
    }

    @Test func `without names label 7 is label 7`() throws {
        let matching = try match(nil, [7, 2_000_000_000, 7], nil, [2_000_000_000, 7])
        #expect(!matching.byName && matching.count == 2)
        #expect(matching.train == [0, 1, 0] && matching.test == [1, 0])
    }

    @Test func `names on one side only are not used, and that is said`() throws {
        let matching = try match(["b", "a"], [0, 1], nil, [1])
        #expect(!matching.byName && matching.test == [1])
        #expect(matching.remarks.count == 2 && matching.remarks[0].contains("header of test"))
    }

    @Test func `a test class that the training set lacks is an error that names it`() throws {
        let failure = #expect(throws: Failure.self) { try match(["ant"], [0], ["ant", "bee"], [0, 1]) }
        #expect(failure?.kind == .data && failure?.description.contains("test: holds class 'bee', which train lacks") == true)
        let number = #expect(throws: Failure.self) { try match(nil, [3], nil, [4]) }
        #expect(number?.description.contains("class 4") == true)
        // A named class without samples is no error.
        #expect(try match(["ant"], [0], ["ant", "bee"], [0]).test == [0])
    }

    @Test func `a class without training samples is said to count as errors`() throws {
        let matching = try match(["ant", "bee"], [0], ["bee", "ant"], [0, 0, 1])
        #expect(matching.remarks.count == 2 && matching.remarks[0].hasPrefix("2 test samples") && matching.remarks[0].contains("'bee'"))
        #expect(matching.remarks[1].hasPrefix("all training samples belong to one class"))
    }
}
