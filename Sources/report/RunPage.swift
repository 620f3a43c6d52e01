import Evaluation
import Pipeline
import Pages
import TensorStreams
import ToolSupport

/// The page of a run, section by section.
struct RunPage {
    /// Bytes of the page that pictures may take; the charts and maps of a student take about a third of a million more.
    private static let pictureRoom = 7_000_000

    let html: HTML

    /// - Parameters:
    ///   - views: a stream of what the student saw; nil where there is none.
    ///   - tell: is told what the page has to do without.
    init(_ run: ReportedRun, views: String?, tell: (String) -> Void) throws {
        var page = Page(run.name), pictures = PictureBook(room: Self.pictureRoom)
        let results = Results(run, tell: tell)
        page.head = results.head
        page.add("results", "Results", results.html)
        page.add("training", "Training", Courses(run).html)
        let judged = try Judged(run, tell: tell)
        page.add("neighbours", "Nearest images", try judged.neighbours(&pictures))
        page.add("map", "Map of the images", try judged.maps(&pictures))
        page.add("classes", "Classes", try judged.classes(&pictures))
        if let views { page.add("views", "What the student saw", try ViewStream(views).html(&pictures)) }
        page.add("times", "Times", results.times)
        page.add("again", "How to make it again", Provenance(run).html)
        html = page.html(pictures)
    }
}
