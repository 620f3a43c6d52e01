import Evaluation
import Pipeline
import Pages
import TensorStreams
import ToolSupport

/// The page of a run.
struct RunPage {
    /// The maximum size of a page in bytes, and the part of it that pictures may take at first.
    private static let room = 10_000_000, pictureRoom = 7_000_000

    let html: HTML

    /// - Parameters:
    ///   - views: a stream of views that the student was trained on; nil if there is none.
    ///   - tell: receives messages about what the page lacks.
    init(_ run: ReportedRun, views: String?, tell: (String) -> Void) throws {
        // It may be a pipe, which can be read only once.
        let seen = try views.map { try ViewStream($0) }
        let page = try Self.page(run, seen, pictureRoom: Self.pictureRoom, tell: tell), excess = page.text.utf8.count - Self.room
        // Charts and maps of many students leave less space for pictures.
        html = excess <= 0 ? page : try Self.page(run, seen, pictureRoom: max(0, Self.pictureRoom - excess)) { _ in }
    }

    private static func page(_ run: ReportedRun, _ views: ViewStream?, pictureRoom: Int, tell: (String) -> Void) throws -> HTML {
        var page = Page(run.name), pictures = PictureBook(room: pictureRoom)
        let results = Results(run, tell: tell)
        page.head = results.head
        page.add("results", "Results", results.html)
        page.add("training", "Training", Courses(run).html)
        let judged = try Judged(run, tell: tell)
        page.add("neighbours", "Nearest images", try judged.neighbours(&pictures))
        page.add("map", "Map of the images", try judged.maps(&pictures))
        page.add("classes", "Classes", try judged.classes(&pictures))
        if let views { page.add("views", "What the student saw", try views.html(&pictures)) }
        page.add("times", "Times", results.times)
        page.add("again", "How to reproduce it", Provenance(run).html)
        return page.html(pictures)
    }
}
