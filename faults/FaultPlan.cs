namespace Payments.Faults;

/// <summary>The kinds of faults.</summary>
internal enum FaultKind
{
    KillInstance,
    KillHost,
    KillWorker,
    RestartPostgresFast,
    RestartPostgresImmediate,
    DropConnections,
    CutPostgres,
    LosePostgresAnswers,
    SlowCommits,
    CutClients,
    LoseAnswersToClients,
    SlowAnswersToClients,
    ProcessorTimeouts,
    ProcessorErrors,
    ProcessorRateLimits,
    ProcessorDrops,
    ProcessorDown,
    ProcessorRestart,
    Webhooks,
    QueueOutage,
    LoseQueueAnswers,
    StorageOutage,
    ClockSkew,
}

/// <summary>One fault of a round: how long after the start of the round it begins, and how long it lasts.</summary>
internal sealed record PlannedFault(FaultKind Kind, TimeSpan After, TimeSpan Length, int Choice);

/// <summary>The faults of each round, drawn from the seed alone.</summary>
internal static class FaultPlan
{
    private static readonly FaultKind[] Kinds = Enum.GetValues<FaultKind>();

    /// <summary>How long each round works before its first fault, in milliseconds, so that faults meet existing work.</summary>
    private const int Calm = 800;

    /// <summary>The faults of a round. They are dealt like cards, so every kind comes within a few rounds.</summary>
    public static IReadOnlyList<PlannedFault> OfRound(int seed, int round, int faults)
    {
        var deck = Kinds.ToArray();
        var perDeck = Math.Max(1, deck.Length / faults);
        new Random(Seeds.Of(seed, 524_287, round / perDeck)).Shuffle(deck);
        var random = new Random(Seeds.Of(seed, 8_191, round));
        return
        [
            .. deck.Skip(round % perDeck * faults).Take(faults).Select(kind => new PlannedFault(
                kind, TimeSpan.FromMilliseconds(Calm + random.Next(600)), TimeSpan.FromMilliseconds(200 + random.Next(900)), random.Next(1 << 16))),
        ];
    }
}
