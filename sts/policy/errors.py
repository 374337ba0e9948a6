"""What is wrong with a policy document, where, and what would be right."""


class PolicyError(ValueError):
    """A policy document that cannot be honoured as it is written; nothing of it is ever applied in part.

    Attributes:
        place: The document and the path inside it, such as `role s3-reader trust: Statement[0].Condition.StringEqual`.
        problem: What is wrong there.
        cure: What would be right.
    """

    def __init__(self, place: str, problem: str, cure: str) -> None:
        super().__init__(f"{place}: {problem}; {cure}")
        self.place = place
        self.problem = problem
        self.cure = cure
