namespace Payments.Faults;

/// <summary>What can go wrong.</summary>
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

/// <summary>One fault of a round: when it begins, as a share of the round, and how long it lasts.</summary>
internal sealed record PlannedFault(FaultKind Kind, TimeSpan After, TimeSpan Length, int Choice);

/// <summary>What goes wrong in each round, drawn from the seed alone.</summary>
internal static class FaultPlan
{
    private static readonly FaultKind[] Kinds = Enum.GetValues<FaultKind>();

    /// <summary>How long work goes on in each round before the first fault: what faults meet must have been made.</summary>
    private const int Calm = 800;

    /// <summary>The faults of a round. Every kind comes within a few rounds, as they are dealt like cards.</summary>
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
