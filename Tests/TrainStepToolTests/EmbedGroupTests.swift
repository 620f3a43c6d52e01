import TensorStreams
import TestSupport
import Testing

struct EmbedGroupTests {
    private func place() throws -> Workplace {
        let place = try Workplace.training()
        try #require(place.run("augment --data pictures/train --batch 16 --crops '2x16 3x8' -q -o crops").status == 0)
        return place
    }

    /// The rows (N, D) of one view, from the rows `whole` (N, V, D) that `embed` gives for each view of a group.
    private func column(_ whole: Tensor, _ view: Int) -> [Float] {
        let (N, V, D) = (whole.shape[0], whole.shape[1], whole.shape[2])
        return whole.withFloats { rows in (0..<N).flatMap { n in (0..<D).map { rows[(n * V + view) * D + $0] } } }
    }

    @Test func `a group's rows are those of its views, which are counted over all groups`() throws {
        let place = try place()
        #expect(try place.run("embed --weights teacher --view 0 --group 1 --group 0 crops -q -o all").status == 0)
        let records = try place.read("all").records
        for view in 0..<5 {
            #expect(try place.run("embed --weights teacher --view \(view) --drop images crops -q -o one").status == 0)
            for (record, one) in zip(records, try place.read("one").records) {
                let group = try #require(record.tensors[view < 2 ? "teacher.0" : "teacher.1"]), expected = try #require(one.tensors["teacher"]).floats()
                #expect(group.shape == [16, view < 2 ? 2 : 3, 16] && one.tensors["images"] == nil && one.tensors["images.1"] != nil)
                let found = column(group, view < 2 ? view : view - 2)
                #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 })
                if view == 0 { #expect(try record.tensors["teacher"]?.floats() == expected) }
            }
        }
        #expect(try place.run("embed --weights teacher --features --group 1 crops -q -o features").status == 0)
        #expect(try place.read("features").records[0].tensors["features.1"]?.shape == [16, 3, 128])
        #expect(try place.run("embed --weights teacher --group 1 --as small crops -q -o named").status == 0)
        #expect(try place.read("named").records[0].tensors["small"]?.shape == [16, 3, 16])
    }

    @Test func `a view or a group that is not there, or that no network takes, is told`() throws {
        let place = try place()
        try place.expectFailure("embed --weights teacher --view 5 crops -o out", 65, "has 5 views of each image where view 5 is asked for")
        try place.expectFailure("embed --weights teacher --group 2 crops -o out", 65, "has no tensor 'images.2'; it has images, images.1, index, label")
        try place.expectFailure("embed --weights teacher --group 1 --group 1 crops -o out", 64, "--group 1 is given twice")
        try place.expectFailure("embed --weights teacher --group -1 crops -o out", 64, "--group")
        try place.expectFailure("embed --weights teacher --view 0 --group 1 --as a crops -o out", 64, "--as names the rows of one")
        try place.expectFailure("embed --command cat --group 1 crops -o out", 64, "--group goes with a network")
        try place.run("augment --data pictures/train --batch 16 --crops '1x16 2x4' -q -o tiny")
        try place.expectFailure("embed --weights teacher --group 1 tiny -o out", 65, "has images of group 1 of 4×4 where")
    }

    @Test func `a student learns from the small crops of a stream too, and asks for the teacher's rows of them`() throws {
        let place = try place()
        let result = try place.run("""
            embed --weights teacher crops -q -o untaught; embed --weights teacher --view 0 --group 1 crops -q -o taught.crops; train-step --student student taught.crops -q -o a
            embed --weights teacher pairs -q -o taught.pairs; train-step --student student taught.pairs -q -o b
            """)
        #expect(result.error.isEmpty, "\(result.error)")
        #expect(try place.document("a").tensors != place.document("b").tensors)
        try place.expectFailure("train-step --student student untaught -o c", 65, "has no tensor 'teacher.1'")
    }
}
