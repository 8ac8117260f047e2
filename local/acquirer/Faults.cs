namespace Payments.Acquirer;

/// <summary>What goes wrong with a call. "Before" does nothing of what was asked; "after" does it and then spoils the answer.</summary>
internal enum FaultKind
{
    Delay,
    DelayBefore,
    FailBefore,
    FailAfter,
    TimeoutBefore,
    TimeoutAfter,
    DropBefore,
    DropAfter,
    RateLimit,
    Malformed,
    WebhookFirst,
    Flaky,
}

/// <summary>
/// One rule: calls that match it meet the fault with a probability. The draw depends on the seed, the rule's place, the call's
/// reference and how often that reference came, not on the order of calls, so a run can be repeated. (Settable, because generated
/// readers of JSON put defaults into init-only properties that the text leaves out.)
/// </summary>
internal sealed record FaultRule
{
    public required FaultKind Kind { get; set; }

    /// <summary><c>payment</c>, <c>capture</c>, <c>cancel</c>, <c>refund</c>, <c>payout</c>, <c>payee_check</c>, <c>complete</c>,
    /// <c>dispute</c>, <c>read</c>; null is any.</summary>
    public string? Operation { get; set; }

    /// <summary>Only payments with this card token, or payouts to this bank token; null is any.</summary>
    public string? Token { get; set; }

    /// <summary>0 to 1.</summary>
    public double Probability { get; set; } = 1;

    public int DelayMilliseconds { get; set; } = 500;

    /// <summary>The status of <see cref="FaultKind.FailBefore"/> and <see cref="FaultKind.FailAfter"/>.</summary>
    public int Status { get; set; } = 500;

    /// <summary>How many calls meet the fault at most; null is no limit.</summary>
    public int? Times { get; set; }

    /// <summary>Once the fault is met, how many matching calls in a row meet it.</summary>
    public int Burst { get; set; } = 1;
}

/// <summary>What goes wrong with webhooks. Each draw depends on the seed, the event's type and its object's reference.</summary>
internal sealed record WebhookFaults
{
    public double Duplicate { get; set; }
    public double DropFirst { get; set; }
    public double Delay { get; set; }
    public int DelayMilliseconds { get; set; } = 1000;
    public double Reorder { get; set; }
    public int ReorderWindowMilliseconds { get; set; } = 500;
}

/// <summary>The fault that a call was dealt.</summary>
internal readonly record struct Fault(FaultKind Kind, int DelayMilliseconds, int Status)
{
    public bool HappensBefore => Kind is FaultKind.FailBefore or FaultKind.TimeoutBefore or FaultKind.DropBefore or FaultKind.RateLimit;
}

/// <summary>Deals faults to calls. They live in memory: a restart clears them.</summary>
internal sealed class FaultPlan(ulong seed)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Operation, string Reference), int> _attempts = [];
    private FaultRule[] _rules = [];
    private int[] _met = [];
    private int[] _burst = [];
    private long _injected;

    public ulong Seed { get; private set; } = seed;

    public IReadOnlyList<FaultRule> Rules => _rules;

    public WebhookFaults Webhooks { get; set; } = new();

    /// <summary>How many calls met a rule's fault since the rules were set.</summary>
    public long Injected => Interlocked.Read(ref _injected);

    public void Set(FaultRule[] rules, ulong? seed)
    {
        lock (_gate)
        {
            Seed = seed ?? Seed;
            _met = new int[rules.Length];
            _burst = new int[rules.Length];
            _attempts.Clear();
            _injected = 0;
            Volatile.Write(ref _rules, rules);
        }
    }

    /// <summary>The fault of a token comes first, then the first rule that matches and is drawn.</summary>
    public Fault? Deal(string operation, string? token, string reference, TokenFault? tokenFault)
    {
        if (tokenFault is { Kind: FaultKind.Flaky })
            return Flaky(reference, NextAttempt("flaky", reference));
        if (tokenFault is not null)
            return new(tokenFault.Kind, tokenFault.DelayMilliseconds, 500);
        if (Volatile.Read(ref _rules).Length == 0)
            return null;
        lock (_gate)
        {
            var attempt = NextAttempt(operation, reference);
            for (var i = 0; i < _rules.Length; i++)
            {
                var rule = _rules[i];
                if ((rule.Operation is not null && rule.Operation != operation) || (rule.Token is not null && rule.Token != token) || _met[i] >= rule.Times)
                    continue;
                if (_burst[i] > 0)
                    _burst[i]--;
                else if (Draw.Unit(Seed, $"{i}/{operation}/{reference}", attempt) < rule.Probability)
                    _burst[i] = rule.Burst - 1;
                else
                    continue;
                _met[i]++;
                Interlocked.Increment(ref _injected);
                return rule.Kind == FaultKind.Flaky ? Flaky(reference, attempt) : new(rule.Kind, rule.DelayMilliseconds, rule.Status);
            }
        }
        return null;
    }

    private Fault? Flaky(string reference, int attempt) => Draw.Unit(Seed, "flaky/" + reference, attempt) switch
    {
        < 0.25 => new(FaultKind.FailBefore, 0, 503),
        < 0.5 => new(FaultKind.FailAfter, 0, 500),
        < 0.6 => new(FaultKind.DropAfter, 0, 0),
        _ => null,
    };

    private int NextAttempt(string operation, string reference)
    {
        lock (_gate)
        {
            ref var attempt = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_attempts, (operation, reference), out _);
            return attempt++;
        }
    }
}

/// <summary>Draws that follow from a seed and a name alone.</summary>
internal static class Draw
{
    /// <summary>A number from 0 up to 1, the same for the same arguments on every machine.</summary>
    public static double Unit(ulong seed, string name, int attempt)
    {
        unchecked
        {
            var hash = 14695981039346656037UL ^ Mix(seed);
            foreach (var character in name)
                hash = (hash ^ character) * 1099511628211UL;
            return (Mix(hash + ((ulong)attempt * 0x9E3779B97F4A7C15UL)) >> 11) * (1.0 / (1UL << 53));
        }
    }

    // The finalizer of SplitMix64: spreads neighbouring inputs over all bits.
    private static ulong Mix(ulong value)
    {
        unchecked
        {
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
            return value ^ (value >> 31);
        }
    }
}
