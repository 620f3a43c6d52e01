/// What one step did.
public struct StepReport: Sendable {
    public var pictures: Int
    public var epoch: Int
    public var step: Int
    public var loss: Double
    /// The least loss there can be: the entropy of the targets.
    public var floor: Double?
    public var agreement: Double?
    /// The mean cosine of two of the student's embeddings of the batch: 1 where all are alike.
    public var studentCosine: Double?
    /// The same of the teacher's, as the loss used them.
    public var teacherCosine: Double?
    /// The teacher's temperature, where the loss tells it.
    public var teacherTemperature: Double?
    /// The length of the mean that the loss took off the teacher's embeddings, where it tells it.
    public var centre: Double?
    public var learningRate: Double
    public var gradientNorm: Double

    public init(
        pictures: Int, epoch: Int, step: Int, loss: Double, floor: Double? = nil, agreement: Double? = nil, studentCosine: Double? = nil,
        teacherCosine: Double? = nil, teacherTemperature: Double? = nil, centre: Double? = nil, learningRate: Double, gradientNorm: Double
    ) {
        self.pictures = pictures
        self.epoch = epoch
        self.step = step
        self.loss = loss
        self.floor = floor
        self.agreement = agreement
        self.studentCosine = studentCosine
        self.teacherCosine = teacherCosine
        self.teacherTemperature = teacherTemperature
        self.centre = centre
        self.learningRate = learningRate
        self.gradientNorm = gradientNorm
    }
}
