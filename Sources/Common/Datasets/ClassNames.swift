/// The classes of pictures, by the folders they lie in.
///
/// The folders that all pictures share say nothing and are passed over. A picture's class is its first folder after
/// those: `train/cats/7.jpg` beside `train/dogs/1.jpg` is a cat, and so is `train/cats/persian/7.jpg`. A picture without such
/// a folder has no class; pictures that all lie in one folder have none.
struct ClassNames {
    /// In order; the label is the place.
    let names: [String]
    private let labels: [Substring: Int]
    private let shared: Int

    init(of paths: [String]) {
        var shared = paths.first.map { Array(ClassNames.folders($0)) } ?? []
        for path in paths where !shared.isEmpty {
            let own = ClassNames.folders(path)
            var equal = 0
            for (a, b) in zip(own, shared) {
                guard a == b else { break }
                equal += 1
            }
            shared.removeLast(shared.count - equal)
        }
        self.shared = shared.count
        var found: Set<Substring> = []
        for path in paths {
            if let name = ClassNames.folders(path).dropFirst(shared.count).first { found.insert(name) }
        }
        let sorted = found.sorted()
        names = sorted.map(String.init)
        labels = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, $0) })
    }

    /// −1 for a picture without a class.
    func label(of path: String) -> Int {
        ClassNames.folders(path).dropFirst(shared).first.flatMap { labels[$0] } ?? -1
    }

    private static func folders(_ path: String) -> ArraySlice<Substring> { path.split(separator: "/").dropLast() }
}
