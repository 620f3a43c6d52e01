import Evaluation
import Pages
import Pipeline
import TensorStreams
import ToolSupport

/// Figures of the networks' features: class accuracy, maps of the images, and nearest neighbours.
struct Judged {
    private static let mostPlaces = 600, mostQueries = 12, worstClasses = 6, errorsOfClass = 3, nearest = 6

    private let run: ReportedRun
    /// The teacher, and the latest network of each student.
    private let subjects: [ReportedRun.Subject]
    /// The evaluated images, and the reference images that supply labels. Without labels, both are the training images.
    private let judged: Album, lent: Album
    private let part: String
    /// For each network a sample of the evaluated images, and the sampling step: one image of every `step`.
    private let samples: [(set: SampledFeatures, step: Int)]

    /// - Parameter tell: receives messages about missing data.
    init(_ run: ReportedRun, tell: (String) -> Void) throws {
        self.run = run
        let part = run.isByLabels ? "test" : "train"
        self.part = part
        subjects = run.subjects.filter { subject in subject.isLatest && [part, "train"].allSatisfy { run.features(subject, $0) != nil } }
        samples = try subjects.map { try Judged.sample(run, $0, part) }
        func album(_ part: String) throws -> Album {
            do { return try Album(part, run.images(part)) } catch let failure as Failure where [.data, .io, .noInput].contains(failure.kind) {
                tell("\(failure.description); the page omits its pictures")
                return try Album(part, nil)
            }
        }
        judged = try album(part)
        lent = part == "train" ? judged : try album("train")
    }

    private func features(_ subject: ReportedRun.Subject, _ part: String) throws -> String { try Judged.features(run, subject, part) }

    private static func features(_ run: ReportedRun, _ subject: ReportedRun.Subject, _ part: String) throws -> String {
        guard let path = run.features(subject, part) else { throw Failure(.noInput, path: run.folder, "has no features of \(subject.title)") }
        return path
    }

    // MARK: Classes

    /// The class-by-class part of a classifier's result; nil if it has none.
    private func counts(_ subject: ReportedRun.Subject) -> (figure: ConfusionFigure, isRight: [Bool])? {
        guard let path = run.result(subject, "knn"), let json = (try? JSONFile.read(path))?["by_class"], let classes = json["classes"]?.asArray?.compactMap(\.asString),
            let samples = json["samples"]?.asArray?.compactMap(\.asInteger), let correct = json["correct"]?.asArray?.compactMap(\.asInteger),
            samples.count == classes.count, correct.count == classes.count, let bits = json["correct_samples"]?.asString
        else { return nil }
        let pairs = (json["confusions"]?.asArray ?? []).compactMap { $0.asArray?.compactMap(\.asInteger) }.filter { pair in
            pair.count == 3 && pair[..<2].allSatisfy { classes.indices.contains(Int($0)) }
        }
        let figure = ConfusionFigure(
            json["classifier"]?.asString ?? "k-NN", classes: classes, samples: samples.map { Int($0) }, correct: correct.map { Int($0) },
            confusions: pairs.map { (Int($0[0]), Int($0[1]), Int($0[2])) }, teacher: [Double?](repeating: nil, count: classes.count))
        return (figure, bits.flatMap { digit in (0..<4).map { (digit.hexDigitValue ?? 0) >> (3 - $0) & 1 == 1 } })
    }

    /// The accuracy by class, and the errors of the worst classes.
    func classes(_ pictures: inout PictureBook) throws -> HTML {
        let teacher = subjects.first(where: \.isTeacher).flatMap { counts($0)?.figure }
        var parts: [HTML] = []
        for subject in subjects where !subject.isTeacher {
            guard let counted = counts(subject) else { continue }
            var figure = counted.figure
            if let teacher, teacher.classes == figure.classes { figure.teacher = figure.classes.indices.map { teacher.share($0) } }
            let title: HTML = subjects.count(where: { !$0.isTeacher }) > 1 ? "<h3>\(subject.title)</h3>" : ""
            parts.append("""
                \(title)<p class="soft">\(subject.title), \(figure.classifier); the worst class first; the mark on a bar is the teacher.</p>
                \(figure.bars)<h3>Confusions</h3><p class="soft">Each row is a class, each column the class predicted for its images.</p>\(figure.matrix)
                \(try errors(subject, figure, counted.isRight, &pictures))
                """)
        }
        return "\(parts)"
    }

    private func errors(_ subject: ReportedRun.Subject, _ figure: ConfusionFigure, _ isRight: [Bool], _ pictures: inout PictureBook) throws -> HTML {
        let worst = figure.order.filter { figure.correct[$0] < figure.samples[$0] }.prefix(Self.worstClasses)
        guard !worst.isEmpty else { return "" }
        var left = Dictionary(uniqueKeysWithValues: worst.map { (Int32($0), Self.errorsOfClass) })
        let wrong = try SampledFeatures(features(subject, part), hasLabels: true) { place, label in
            guard isRight.indices.contains(place), !isRight[place], let rest = left[label], rest > 0 else { return false }
            left[label] = rest - 1
            return true
        }
        let near = try NearestImages(wrong.features, in: FeatureStream(features(subject, "train"), tensor: "features"), k: Self.nearest)
        var rows: [HTML] = []
        for label in worst {
            for row in wrong.labels.indices where wrong.labels[row] == Int32(label) {
                let query = PictureRow.Picture(try judged.picture(wrong.images[row], in: &pictures), figure.classes[label])
                rows.append(PictureRow(query, [("", try strip(near.found[row], of: Int32(label), figure.classes, &pictures))]).html)
            }
        }
        return "<h3>Errors of the worst classes</h3>\n<p class=\"soft\">Next to each image are the training images nearest to it, whose labels decide its class.</p><div class=\"rows\">\(rows)</div>\n"
    }

    private func strip(_ found: [NearestImages.Near], of label: Int32?, _ classes: [String], _ pictures: inout PictureBook) throws -> [PictureRow.Picture] {
        var strip: [PictureRow.Picture] = []
        for near in found {
            let name = label == nil ? lent.name(near.image) : classes.indices.contains(Int(near.label)) ? classes[Int(near.label)] : "\(near.label)"
            strip.append(PictureRow.Picture(try lent.picture(near.image, in: &pictures), name, isRight: label.map { $0 == near.label }))
        }
        return strip
    }

    // MARK: Map

    /// Samples that are spread evenly over the evaluated images.
    private static func sample(_ run: ReportedRun, _ subject: ReportedRun.Subject, _ part: String) throws -> (set: SampledFeatures, step: Int) {
        let path = try features(run, subject, part), images = try StreamReader(path).header.metadata.count("images") ?? mostPlaces
        let step = max(1, (images + mostPlaces - 1) / mostPlaces)
        return (try SampledFeatures(path, hasLabels: run.isByLabels) { place, _ in place % step == 0 }, step)
    }

    func maps(_ pictures: inout PictureBook) throws -> HTML {
        var byNeighbours: [HTML] = [], byComponents: [HTML] = [], legend: HTML = "", told = ""
        for (subject, (set, step)) in zip(subjects, samples) {
            guard set.features.samples > 1 else { continue }
            set.features.normalizeRows()
            if legend == "", !set.classes.isEmpty { legend = MapFigure.legend(set.classes) }
            told = "\(set.features.samples) images\(step > 1 ? ", one in \(step)" : "")"
            let near = NeighbourMap(set.features), components = PrincipalComponents(set.features, k: min(2, set.features.dimension))
            var places: [(picture: Int?, label: Int?, name: String)] = []
            for (row, image) in set.images.enumerated() {
                let label = set.classes.isEmpty ? nil : Int(set.labels[row])
                places.append((try judged.picture(image, in: &pictures), label, label.map { set.classes[$0] } ?? judged.name(image)))
            }
            func figure(_ title: String, _ coordinates: [Double], _ width: Int) -> HTML {
                MapFigure(title, places.enumerated().map { row, place in
                    MapFigure.Place(x: coordinates[width * row], y: width > 1 ? coordinates[width * row + 1] : 0, label: place.label, picture: place.picture, name: place.name)
                }).html
            }
            byNeighbours.append(figure(subject.title, near.coordinates, 2))
            let share = components.total > 0 ? components.variances.reduce(0, +) / components.total : 0
            byComponents.append(figure("\(subject.title): \(Progress.fixed(100 * share, 0)) % of the variance", components.coordinates, components.k))
        }
        guard !byNeighbours.isEmpty else { return "" }
        return """
            <p class="soft">\(told), by the cosine of their features. Point at one to see it; select classes to show only those.</p>
            \(legend)<fieldset class="choice"><label><input type="radio" name="map" id="by-neighbours" checked> neighbours stay neighbours (t-SNE)</label>\
            <label><input type="radio" name="map" id="by-components"> the directions in which features differ most (principal components)</label>
            <div class="grid neighbours">\(byNeighbours)</div><div class="grid components">\(byComponents)</div></fieldset>

            """
    }

    // MARK: Neighbours

    /// The nearest neighbours of a few images, for the teacher and the students side by side.
    func neighbours(_ pictures: inout PictureBook) throws -> HTML {
        guard let first = subjects.first, let set = samples.first?.set else { return "" }
        let chosen = queries(set)
        // Use the same images for every network. An image is not its own neighbour.
        let others = run.isByLabels ? 0 : 1
        var found: [[[NearestImages.Near]]] = []
        for (subject, (own, _)) in zip(subjects, samples) {
            guard let rows = own.rows(chosen.map { set.places[$0] }) else {
                throw Failure(.data, path: try features(subject, part), "has fewer samples than the features of \(first.title)", remedy: "redo the stages that make its features")
            }
            let near = try NearestImages(rows, in: FeatureStream(features(subject, "train"), tensor: "features", needsLabels: run.isByLabels), k: Self.nearest + others)
            found.append(zip(chosen, near.found).map { row, found in Array(found.filter { run.isByLabels || $0.image != set.images[row] }.prefix(Self.nearest)) })
        }
        var rows: [HTML] = []
        for (number, row) in chosen.enumerated() {
            let label = set.classes.isEmpty ? nil : set.labels[row]
            let query = PictureRow.Picture(try judged.picture(set.images[row], in: &pictures), label.map { set.classes[Int($0)] } ?? judged.name(set.images[row]))
            var strips: [(title: String, pictures: [PictureRow.Picture])] = []
            for (subject, found) in zip(subjects, found) where number < found.count { strips.append((subject.title, try strip(found[number], of: label, set.classes, &pictures))) }
            rows.append(PictureRow(query, strips).html)
        }
        return "\(rows)"
    }

    /// The first sample of each class, thinned evenly to the maximum; without labels, evenly spaced samples.
    private func queries(_ set: SampledFeatures) -> [Int] {
        var firsts: [Int] = []
        if set.classes.isEmpty {
            firsts = Array(set.places.indices)
        } else {
            var known: Set<Int32> = []
            for row in set.labels.indices where known.insert(set.labels[row]).inserted { firsts.append(row) }
            firsts.sort { set.labels[$0] < set.labels[$1] }
        }
        let step = max(1, (firsts.count + Self.mostQueries - 1) / Self.mostQueries)
        return firsts.enumerated().filter { $0.offset % step == 0 }.map(\.element)
    }
}
