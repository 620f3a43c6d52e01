import Pipeline
import TestSupport
import Testing

/// `make defaults` includes the product's own default.
struct DefaultsTests {
    private static let hasPython = Workplace.runs("python3 -c ''")

    @Test(.enabled(if: hasPython, "there is no python3")) func `the options that make defaults tries are the product's, and its rates are among those tried`() throws {
        let line = try #require(Setting.named("STUDENT_OPTIONS")).line(pipelines: Workplace.root + "/pipelines")
        let program = """
            import grid, product, table
            assert all(table.default_rate(grid.RATES[batch], batch) for batch, images in grid.CORNERS)
            run = grid.Run("objects", "resnet18", 64, 6000, table.default_rate(grid.RATES[64], 64))
            assert run.rate == 0.12; print(run.options().replace(f"--learning-rate {run.rate:g}", f"--base-learning-rate {product.default().rate:g}"))
            """
        let result = try Workplace().run("cd '\(Workplace.root)/pipelines/defaults' && PYTHONDONTWRITEBYTECODE=1 python3 -c '\(program)'")
        try #require(result.status == 0, "\(result.error)")
        func words(_ options: some StringProtocol) -> [String] { options.split(whereSeparator: \.isWhitespace).map { String($0) }.sorted() }
        let found = words(result.output)
        #expect(found.contains("--base-learning-rate") && found == words(line.split(separator: "(").last?.dropLast().split(separator: ";").first ?? ""), "\(result.output)\(line)")
    }
}
