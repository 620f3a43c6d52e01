import Evaluation
import Testing

struct PublishedResultTests {
    private let imageNet = (0..<1000).map { "n0\(1_440_764 + $0)" }

    @Test func `published numbers stand beside those of the same student on ImageNet alone`() {
        let rows = PublishedResult.comparable(student: "resnet18", classes: imageNet)
        #expect(rows.count == 10 && rows.allSatisfy { $0.student == "resnet18" })
        #expect(rows.first { $0.method == "SEED" && $0.teacher?.hasPrefix("ResNet-152") == true }?.top1 == 59.5)
        #expect(PublishedResult.comparable(student: "resnet50", classes: imageNet).isEmpty)
        #expect(PublishedResult.comparable(student: "resnet18", classes: Array(imageNet.dropLast())).isEmpty)
        #expect(PublishedResult.comparable(student: "resnet18", classes: imageNet.dropLast() + ["pictures"]).isEmpty)
        #expect(PublishedResult.all.allSatisfy { $0.top1 > 30 && $0.top1 < ($0.top5 ?? 100) && ($0.top5 ?? 99) < 100 })
    }
}
