using System.Xml.Linq;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// One payment status report (pain.002). The most specific status counts: that of the transaction, else that of its payment information,
/// else that of the group. The status of a payment information or of the group applies to all of its payouts that the report does not name
/// separately.
/// </summary>
internal sealed class IsoStatusReport
{
    private readonly List<Level> _groups = [];
    private readonly List<(Level Level, List<Transaction> Transactions)> _payments = [];

    public List<BankResult> Results { get; } = [];

    public List<BankFileResult> Files { get; } = [];

    public List<UnmatchedWord> Unmatched { get; } = [];

    /// <summary>Files that the report names in the fields for references.</summary>
    public IEnumerable<Guid> Referenced =>
        _groups.Concat(_payments.Select(p => p.Level)).Select(level => IsoXml.FileId(level.Reference)).OfType<Guid>();

    public int Foreign { get; private set; }

    public static bool Reads(string element) => element is "OrgnlGrpInfAndSts" or "OrgnlPmtInfAndSts" or "TxInfAndSts";

    public void Add(XElement element)
    {
        switch (element.Name.LocalName)
        {
            case "OrgnlGrpInfAndSts":
                _groups.Add(ReadLevel(element, "OrgnlMsgId", "GrpSts"));
                break;
            case "OrgnlPmtInfAndSts":
                _payments.Add((ReadLevel(element, "OrgnlPmtInfId", "PmtInfSts"), [.. IsoXml.Children(element, "TxInfAndSts").Select(ReadTransaction)]));
                break;
            default:
                // Version 2 has transactions directly under the message.
                _payments.Add((new Level("", null, null, null, null, null, []), [ReadTransaction(element)]));
                break;
        }
    }

    public void Finish()
    {
        var group = _groups.Count == 1 ? _groups[0] : null;
        var named = _payments.SelectMany(p => p.Transactions).Where(t => t.Payout is not null).Select(t => t.Payout!.Value).ToHashSet();
        var decided = new Dictionary<Guid, string?>();
        if (group is not null)
        {
            CheckCounts(group, [.. _payments.SelectMany(p => p.Transactions)]);
        }

        foreach (var (level, transactions) in _payments)
        {
            CheckCounts(level, transactions);
            foreach (var transaction in transactions)
            {
                Decide(transaction, level, group);
            }
        }

        foreach (var payment in _payments.Where(p => IsoXml.FileId(p.Level.Reference) is not null).GroupBy(p => IsoXml.FileId(p.Level.Reference)!.Value))
        {
            List<Level> levels = [.. payment.Select(p => p.Level)];
            if (levels.FirstOrDefault(level => level.Status is not null) is not { } level)
            {
                // A payment information without a status has that of the group. The loop over groups handles a file that both name.
                if (group is null || IsoXml.FileId(group.Reference) == payment.Key)
                {
                    continue;
                }

                level = levels[0] with { Status = group.Status, Code = group.Code, Text = group.Text };
            }

            decided.Add(payment.Key, level.Status);
            if (levels.Exists(other => other.Status is not null && Meaning(other.Status) != Meaning(level.Status)))
            {
                // The report does not tell which status holds for the payouts that it does not name.
                Unmatched.Add(Unclear(level with { Status = string.Join(", ", levels.Select(l => l.Status).Where(s => s is not null).Distinct()) }, payment.Key));
            }
            else if (Meaning(level.Status) is not null)
            {
                Files.Add(Whole(payment.Key, level, named));
            }
            else if (level.Status is not (null or "PART") || payment.All(p => p.Transactions.Count == 0))
            {
                Unmatched.Add(Unclear(level, payment.Key));
            }

            foreach (var (each, transactions) in payment)
            {
                Unmatched.AddRange(NotListed(each, level.Status, Statuses([(each, transactions)], group), payment.Key));
            }
        }

        foreach (var level in _groups)
        {
            if (IsoXml.FileId(level.Reference) is not { } file)
            {
                continue;
            }

            if (!decided.TryGetValue(file, out var whole))
            {
                whole = level.Status;
                if (Meaning(level.Status) is not null)
                {
                    Files.Add(Whole(file, level, named));
                }
                else if (level.Status is not (null or "PART") || !_payments.Any(p => p.Transactions.Count > 0))
                {
                    Unmatched.Add(Unclear(level, file));
                }
            }

            if (!_payments.Exists(p => p.Level.Detailed.Count > 0))
            {
                Unmatched.AddRange(NotListed(level, whole, Statuses(_payments, group), file));
            }
        }
    }

    /// <summary>The meaning of a status of the ISO external code sets. Null for a status that is unknown or decides nothing.</summary>
    internal static (PayoutStatus Said, string? Hold)? Meaning(string? status) => status switch
    {
        "ACSC" or "ACCC" => (PayoutStatus.Paid, null),
        "ACTC" or "ACCP" or "ACSP" or "ACWC" or "ACWP" or "ACFC" or "ACPD" or "RCVD" or "PDNG" => (PayoutStatus.InTransit, null),

        // Verification of payee without a mismatch stops nothing.
        "RCVC" => (PayoutStatus.InTransit, null),
        "RVCM" => (PayoutStatus.InTransit, "Verification of payee found names that do not match: the bank waits for a decision."),
        "RVNC" => (PayoutStatus.InTransit, "Verification of payee is not complete."),
        "RVNM" => (PayoutStatus.InTransit, "Verification of payee: the name does not match the account."),
        "RVMC" => (PayoutStatus.InTransit, "Verification of payee: the name matches the account only closely."),
        "RVNA" => (PayoutStatus.InTransit, "Verification of payee was not possible."),
        "ACFW" => (PayoutStatus.InTransit, "The bank waits for an explicit confirmation."),
        "PATC" => (PayoutStatus.InTransit, "The bank waits for further signatures."),
        "BLCK" => (PayoutStatus.InTransit, "The bank has blocked the money."),
        "RJCT" or "CANC" => (PayoutStatus.Failed, null),
        _ => null,
    };

    private static void CheckCounts(Level level, IReadOnlyCollection<Transaction> transactions)
    {
        foreach (var (status, listed) in level.Detailed)
        {
            if (transactions.Count(t => t.Status == status) > listed)
            {
                throw new BankFileException($"The report counts {listed} transactions that are {status} in {level.Reference} and lists more of them.");
            }
        }
    }

    private static List<string?> Statuses(IEnumerable<(Level Level, List<Transaction> Transactions)> payments, Level? group) =>
        [.. payments.SelectMany(p => p.Transactions.Select(t => t.Status ?? p.Level.Status ?? group?.Status))];

    // Payments that the bank counts as refused or held but does not name. Unless the whole file has that status, an operator must find out
    // which they are.
    private static IEnumerable<UnmatchedWord> NotListed(Level level, string? whole, IReadOnlyCollection<string?> listed, Guid file) =>
        from counted in level.Detailed
        let names = listed.Count(status => status == counted.Status)
        where counted.Count is not long.MaxValue && names < counted.Count && counted.Status != whole
            && Meaning(counted.Status) is { Said: PayoutStatus.Failed } or { Hold: not null }
        select new UnmatchedWord(
            UnmatchedReason.MeaningUnclear, level.Reference,
            $"The report counts {counted.Count} payments of the file that are {counted.Status} and names {names} of them.")
        {
            File = file,
            Code = counted.Status,
        };

    private static UnmatchedWord Unclear(Level level, Guid file) =>
        new(UnmatchedReason.MeaningUnclear, level.Reference, $"The report names the file, and its status '{level.Status}' decides nothing.") { File = file, Code = level.Code ?? level.Status, Text = level.Text };

    private static BankFileResult Whole(Guid file, Level level, IReadOnlySet<PayoutId> named)
    {
        var (said, hold) = Meaning(level.Status)!.Value;
        return new BankFileResult(file, said, hold is null ? level.Code : level.Status, hold is null ? level.Text : level.Text ?? hold, null)
        {
            Held = hold is not null,
            Count = level.Count,
            ControlSum = level.Sum,
            Except = named,
        };
    }

    private void Decide(Transaction transaction, Level level, Level? group)
    {
        var status = transaction.Status ?? level.Status ?? group?.Status;
        if (transaction.Payout is not { } payout)
        {
            Foreign++;
            if (IsoXml.FileId(level.Reference) is { } file)
            {
                // The payment is in our file, but the report does not tell which one it is.
                Unmatched.Add(new UnmatchedWord(UnmatchedReason.UnknownPayout, transaction.Reference ?? level.Reference, "The report names no payout of the file.")
                {
                    File = file,
                    Code = transaction.Code ?? status,
                    Text = transaction.Text,
                });
            }

            return;
        }

        var (code, text) = transaction.Status is not null || transaction.Code is not null ? (transaction.Code, transaction.Text)
            : level.Status is not null ? (level.Code, level.Text)
            : (group?.Code, group?.Text);
        if (Meaning(status) is not var (said, hold))
        {
            Unmatched.Add(new UnmatchedWord(UnmatchedReason.MeaningUnclear, EndToEndId.Of(payout), $"The status '{status}' decides nothing.") { Payout = payout, Code = code ?? status, Text = text });
            return;
        }

        Results.Add(new BankResult(payout, null, null, said, hold is null ? code : status, hold is null ? text : text ?? hold, transaction.Amount?.ToMoney())
        {
            Held = hold is not null,
        });
    }

    private static Level ReadLevel(XElement element, string reference, string status)
    {
        var (code, text) = IsoXml.Reason(element, "StsRsnInf");
        var detailed = IsoXml.Children(element, "NbOfTxsPerSts")
            .Select(e => (IsoXml.Value(e, "DtldSts") ?? "", IsoXml.Count(e, "DtldNbOfTxs") ?? long.MaxValue)).ToList();
        return new Level(
            IsoXml.Value(element, reference) ?? "", IsoXml.Value(element, status), code, text, IsoXml.Count(element, "OrgnlNbOfTxs"), IsoXml.Decimal(element, "OrgnlCtrlSum"), detailed);
    }

    private static Transaction ReadTransaction(XElement element)
    {
        var (code, text) = IsoXml.Reason(element, "StsRsnInf");
        var reference = IsoXml.Value(element, "OrgnlEndToEndId");
        return new Transaction(
            EndToEndId.TryParse(reference, out var payout) ? payout : null, reference, IsoXml.Value(element, "TxSts"), code, text,
            IsoXml.Amount(element, "OrgnlTxRef", "Amt", "InstdAmt"));
    }

    /// <summary>The status and the counts of a group or of a payment information.</summary>
    private sealed record Level(string Reference, string? Status, string? Code, string? Text, long? Count, decimal? Sum, IReadOnlyList<(string Status, long Count)> Detailed);

    private sealed record Transaction(PayoutId? Payout, string? Reference, string? Status, string? Code, string? Text, IsoAmount? Amount);
}
