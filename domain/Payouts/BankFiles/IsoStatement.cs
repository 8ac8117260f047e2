using System.Globalization;
using System.Xml.Linq;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// One statement (camt.053), account report (camt.052) or notification (camt.054) of one account. Its results count only if the account is
/// ours and its balances, counts and sums agree.
/// </summary>
internal sealed class IsoStatement(bool paged)
{
    private readonly List<string> _accounts = [];
    private readonly List<Balance> _balances = [];
    private readonly List<XElement> _summaries = [];
    private readonly List<Booking> _bookings = [];
    private readonly HashSet<(PayoutId Payout, PayoutStatus Said)> _booked = [];
    private bool _paged = paged;

    public List<BankResult> Results { get; } = [];

    public List<BankFileResult> Files { get; } = [];

    public List<UnmatchedWord> Unmatched { get; } = [];

    /// <summary>Payouts with an entry that may undo their return.</summary>
    public HashSet<PayoutId> Unclear { get; } = [];

    /// <summary>Files with an entry that may undo their return.</summary>
    public HashSet<Guid> UnclearFiles { get; } = [];

    /// <summary>Files that the statement names in the fields for references.</summary>
    public HashSet<Guid> Referenced { get; } = [];

    public int Foreign { get; private set; }

    public static bool Reads(string element) => element is "Acct" or "Bal" or "TxsSummry" or "Ntry" or "StmtPgntn" or "RptPgntn" or "NtfctnPgntn";

    /// <summary>The identification in the form for comparisons: only letters and digits, in upper case.</summary>
    public static string Canonical(string account) => string.Concat(account.Where(char.IsLetterOrDigit)).ToUpperInvariant();

    /// <summary>Whether this is one page of a longer statement. The balances and sums are then those of the whole statement.</summary>
    public static bool IsPage(XElement? pagination) =>
        pagination is not null && !(IsoXml.Count(pagination, "PgNb") == 1 && IsoXml.IsTrue(IsoXml.Value(pagination, "LastPgInd")));

    public void Add(XElement element)
    {
        switch (element.Name.LocalName)
        {
            case "Acct":
                var id = IsoXml.Value(element, "Id", "IBAN") ?? IsoXml.Value(element, "Id", "Othr", "Id") ?? IsoXml.Value(element, "Id", "PrtryAcct", "Id") ?? "";
                _accounts.Add(Canonical(id));
                break;
            case "Bal":
                _balances.Add(ReadBalance(element));
                break;
            case "TxsSummry":
                _summaries.Add(element);
                break;
            case "Ntry":
                AddEntry(element);
                break;
            default:
                _paged |= IsPage(element);
                break;
        }
    }

    /// <summary>Whether the statement names at least one account, and all of them are ours.</summary>
    public bool IsOf(IReadOnlySet<string> ours) => _accounts.Count > 0 && _accounts.All(account => account.Length > 0 && ours.Contains(account));

    /// <exception cref="BankFileException">A balance, a count or a sum is wrong.</exception>
    public void Check()
    {
        if (_paged)
        {
            return;
        }

        foreach (var ofCurrency in _balances.GroupBy(b => b.Amount.Currency))
        {
            var opening = ofCurrency.Where(b => b.Type == "OPBD").MinBy(b => b.Date) ?? ofCurrency.Where(b => b.Type == "PRCD").MinBy(b => b.Date);
            var closing = ofCurrency.Where(b => b.Type == "CLBD").MaxBy(b => b.Date);
            if (opening is null || closing is null)
            {
                continue;
            }

            var booked = _bookings.Where(b => b.IsBooked && b.Amount.Currency == ofCurrency.Key).ToList();
            if (!Adds(booked, closing.Signed - opening.Signed))
            {
                throw new BankFileException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The opening balance {opening.Signed} and the entries do not give the closing balance {closing.Signed} {ofCurrency.Key}."));
            }
        }

        foreach (var summary in _summaries)
        {
            CheckSummary(summary);
        }
    }

    private static Balance ReadBalance(XElement element)
    {
        var amount = IsoXml.Amount(element, "Amt") ?? throw new BankFileException("A balance has no amount.");
        var signed = IsoXml.Value(element, "CdtDbtInd") switch
        {
            "CRDT" => amount.Value,
            "DBIT" => -amount.Value,
            var other => throw new BankFileException($"A balance is neither credit nor debit but '{other}'."),
        };
        return new Balance(
            IsoXml.Value(element, "Tp", "CdOrPrtry", "Cd") ?? "", amount, signed, IsoXml.Value(element, "Dt", "Dt") ?? IsoXml.Value(element, "Dt", "DtTm") ?? "");
    }

    // Some banks invert the sign of a reversal, others do not. One of the two readings must add up.
    private static bool Adds(IReadOnlyCollection<Booking> bookings, decimal total) =>
        bookings.Sum(b => b.Signed) == total || bookings.Sum(b => b.IsReversal ? -b.Signed : b.Signed) == total;

    private void CheckSummary(XElement summary)
    {
        Compare("TtlNtries", _ => true);
        Compare("TtlCdtNtries", b => b.Signed >= 0);
        Compare("TtlDbtNtries", b => b.Signed <= 0);

        void Compare(string name, Func<Booking, bool> counts)
        {
            if (IsoXml.Child(summary, name) is not { } total)
            {
                return;
            }

            // A bank may or may not count the entries that are not booked.
            var all = _bookings.Where(counts).ToList();
            var booked = all.Where(b => b.IsBooked).ToList();
            if (IsoXml.Count(total, "NbOfNtries") is { } count && count != all.Count && count != booked.Count)
            {
                throw new BankFileException($"{name} counts {count} entries, the statement has {all.Count}.");
            }

            if (all.Select(b => b.Amount.Currency).Distinct().Count() > 1)
            {
                return;
            }

            if (IsoXml.Decimal(total, "Sum") is { } sum && sum != all.Sum(b => b.Amount.Value) && sum != booked.Sum(b => b.Amount.Value))
            {
                throw new BankFileException(string.Create(CultureInfo.InvariantCulture, $"{name} adds up to {sum}, the entries to {all.Sum(b => b.Amount.Value)}."));
            }

            if ((IsoXml.Decimal(total, "TtlNetNtry", "Amt") ?? IsoXml.Decimal(total, "TtlNetNtryAmt")) is { } net)
            {
                var signed = (IsoXml.Value(total, "TtlNetNtry", "CdtDbtInd") ?? IsoXml.Value(total, "CdtDbtInd")) == "DBIT" ? -net : net;
                if (!Adds(all, signed) && !Adds(booked, signed))
                {
                    throw new BankFileException(string.Create(CultureInfo.InvariantCulture, $"{name} has the net {signed}, the entries {all.Sum(b => b.Signed)}."));
                }
            }
        }
    }

    private void AddEntry(XElement element)
    {
        var amount = IsoXml.Amount(element, "Amt") ?? throw new BankFileException("An entry has no amount.");
        var credit = IsCredit(IsoXml.Value(element, "CdtDbtInd")) ?? throw new BankFileException("An entry is neither a credit nor a debit.");

        // Since version 8 the status is a choice of code or text.
        var status = IsoXml.Value(element, "Sts", "Cd") ?? IsoXml.Value(element, "Sts");
        var entry = new Entry(
            amount, credit, IsoXml.IsTrue(IsoXml.Value(element, "RvslInd")), status, ChargesOf(element),
            [.. IsoXml.Children(element, "NtryDtls").SelectMany(d => IsoXml.Children(d, "Btch"))],
            [.. IsoXml.Children(element, "NtryDtls").SelectMany(d => IsoXml.Children(d, "TxDtls")).Select(ReadDetail)]);
        Referenced.UnionWith(entry.Batches.Select(BatchFile).Concat(entry.Details.Select(d => d.File)).OfType<Guid>());
        _bookings.Add(new Booking(amount, credit ? amount.Value : -amount.Value, entry.IsBooked, entry.IsReversal));
        if (entry.Details.Any(d => d.Payout is not null))
        {
            AddPayouts(entry);
        }
        else
        {
            AddBatch(entry);
        }
    }

    private void AddPayouts(Entry entry)
    {
        var broken = entry.Problem();
        var batch = entry.Batches.Select(BatchFile).Any(f => f is not null);
        var own = entry.Details.Where(d => d.Payout is not null).ToList();
        var sum = own.Count == entry.Details.Count && own.Count > 1 && own.All(d => d.Principal is null) && entry.Amount.ToMoney() is { } total
            ? new BankSum(total, own.Count)
            : null;
        foreach (var detail in entry.Details)
        {
            if (detail.Payout is null)
            {
                Foreign++;
                if (batch || detail.File is not null)
                {
                    Unmatched.Add(new UnmatchedWord(UnmatchedReason.UnknownPayout, detail.Reference ?? "", "A payment of our batch names no payout.") { Amount = detail.Principal?.ToMoney() });
                }

                continue;
            }

            var single = entry.Details.Count == 1;
            var result = new BankResult(
                detail.Payout, null, null, PayoutStatus.InTransit, detail.Code, detail.Text,
                (detail.Principal ?? (single ? entry.Amount : null))?.ToMoney())
            {
                Charges = (detail.Charges is 0 && single ? entry.Charges : detail.Charges) is var charges && entry.Amount.ToMoney() is { } money
                    ? new IsoAmount(charges, money.Currency.Code).ToMoney()?.MinorUnits ?? 0
                    : 0,
                Sum = sum,
            };
            Add(entry, detail, result, broken);
        }
    }

    private void Add(Entry entry, Detail detail, BankResult result, string? broken)
    {
        var credit = detail.IsCredit ?? entry.IsCredit;
        if (Direction(entry, credit, detail.IsReturn) is not { } said)
        {
            if (entry is { IsReversal: true, IsBooked: true })
            {
                Unclear.Add(result.Payout!.Value);
                Unmatched.Add(UnmatchedWord.Of(result with { Said = PayoutStatus.Returned }, UnmatchedReason.ReversalUnclear, "The entry is a debit and a reversal: money came back, or left again."));
            }
            else
            {
                Unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.MeaningUnclear, $"The entry is a debit with the reason of a return, or its status '{entry.Status}' is not known."));
            }

            return;
        }

        result = result with { Said = said, Code = said == PayoutStatus.Returned ? result.Code : null, Text = said == PayoutStatus.Returned ? result.Text : null };
        if (broken is not null)
        {
            Unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.DetailsDoNotAddUp, broken));
        }
        else if (detail.Disagrees)
        {
            Unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.DetailsDoNotAddUp, "The amounts of the transaction differ by more than its charges."));
        }
        else if (entry.IsBooked && !_booked.Add((result.Payout!.Value, said)))
        {
            if (said == PayoutStatus.Paid)
            {
                // The second debit may mean that the money left again after a return.
                Unclear.Add(result.Payout!.Value);
            }

            Unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.BookedTwice, "The statement books the payout twice in the same direction."));
        }
        else if (result.Amount is null && result.Sum is null)
        {
            Unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.AmountMissing, "The entry names the payout without an amount in our currency."));
        }
        else
        {
            Results.Add(result);
        }
    }

    /// <summary>A batch that is booked in one sum, or taken back in one sum, names only the file or its payment information.</summary>
    private void AddBatch(Entry entry)
    {
        var files = entry.Batches.Select(BatchFile).Concat(entry.Details.Select(d => d.File)).Where(f => f is not null).Select(f => f!.Value).Distinct().ToList();
        if (files.Count == 0)
        {
            Foreign += Math.Max(1, entry.Details.Count);
            return;
        }

        var detail = entry.Details.Count == 1 ? entry.Details[0] : null;
        var amount = detail?.Principal ?? entry.Amount;
        var charges = detail is { Charges: not 0 } ? detail.Charges : entry.Charges;
        var result = new BankFileResult(files[0], PayoutStatus.InTransit, detail?.Code, detail?.Text, amount.ToMoney())
        {
            Charges = entry.Amount.ToMoney() is { } money ? new IsoAmount(charges, money.Currency.Code).ToMoney()?.MinorUnits ?? 0 : 0,
            Count = entry.Batches.Count == 1 ? IsoXml.Count(entry.Batches[0], "NbOfTxs") : null,
        };
        if (files.Count > 1 || entry.Details.Count > 1 || entry.Batches.Count > 1)
        {
            foreach (var file in files)
            {
                Unmatched.Add(UnmatchedWord.Of(result with { File = file }, UnmatchedReason.DetailsDoNotAddUp, "The entry has several parts, and none names a payout."));
            }
        }
        else if (entry.Problem(countsOwn: false) is { } broken)
        {
            Unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.DetailsDoNotAddUp, broken));
        }
        else if (Direction(entry, detail?.IsCredit ?? entry.IsCredit, detail?.IsReturn ?? false) is { } said)
        {
            if (said == PayoutStatus.InTransit)
            {
                return;
            }

            if (Files.Any(f => f.File == result.File && f.Said == said))
            {
                if (said == PayoutStatus.Paid)
                {
                    UnclearFiles.Add(result.File);
                }

                Unmatched.Add(UnmatchedWord.Of(result with { Said = said }, UnmatchedReason.BookedTwice, "The statement books the file twice in the same direction."));
            }
            else
            {
                Files.Add(result with { Said = said });
            }
        }
        else
        {
            if (entry is { IsReversal: true, IsBooked: true })
            {
                UnclearFiles.Add(result.File);
            }

            Unmatched.Add(UnmatchedWord.Of(result, entry.IsReversal ? UnmatchedReason.ReversalUnclear : UnmatchedReason.MeaningUnclear, "It is not clear which way the batch was booked."));
        }
    }

    // A debit of our account pays a payout, a credit gives it back. A debit that is a reversal is unclear: savings banks write it for money
    // that came back, the standard for a return that was undone. An operator must decide. Only booked entries are final.
    private static PayoutStatus? Direction(Entry entry, bool credit, bool isReturn) => entry.Status switch
    {
        "BOOK" => (credit, entry.IsReversal, isReturn) switch
        {
            (true, _, _) => PayoutStatus.Returned,
            (false, false, false) => PayoutStatus.Paid,
            _ => null,
        },
        "PDNG" or "INFO" or "FUTR" => PayoutStatus.InTransit,
        _ => null,
    };

    private static Detail ReadDetail(XElement element)
    {
        var returned = IsoXml.Child(element, "RtrInf");
        var (code, text) = IsoXml.Reason(element, "RtrInf");
        var reference = IsoXml.Value(element, "Refs", "EndToEndId");
        return new Detail(
            EndToEndId.TryParse(reference, out var payout) ? payout : null,
            reference,
            IsoXml.FileId(IsoXml.Value(element, "Refs", "PmtInfId")) ?? IsoXml.FileId(IsoXml.Value(element, "Refs", "MsgId")),
            IsoXml.Amount(element, "Amt"),
            IsoXml.Amount(element, "AmtDtls", "TxAmt", "Amt"),
            IsoXml.Amount(element, "AmtDtls", "InstdAmt", "Amt"),
            ChargesOf(element),
            IsCredit(IsoXml.Value(element, "CdtDbtInd")),
            returned is not null,
            code,
            text);
    }

    private static bool? IsCredit(string? indicator) => indicator switch
    {
        "CRDT" => true,
        "DBIT" => false,
        null => null,
        _ => throw new BankFileException($"An entry is neither a credit nor a debit but '{indicator}'."),
    };

    private static Guid? BatchFile(XElement batch) => IsoXml.FileId(IsoXml.Value(batch, "PmtInfId")) ?? IsoXml.FileId(IsoXml.Value(batch, "MsgId"));

    private static decimal ChargesOf(XElement element)
    {
        var charges = IsoXml.Children(element, "Chrgs").ToList();
        var records = charges.SelectMany(c => IsoXml.Children(c, "Rcrd")).ToList();
        return records.Count > 0 ? records.Sum(r => IsoXml.Amount(r, "Amt")?.Value ?? 0)
            : charges.Sum(c => IsoXml.Amount(c, "Amt")?.Value ?? IsoXml.Amount(c, "TtlChrgsAndTaxAmt")?.Value ?? 0);
    }

    private sealed record Balance(string Type, IsoAmount Amount, decimal Signed, string Date);

    private sealed record Booking(IsoAmount Amount, decimal Signed, bool IsBooked, bool IsReversal);

    /// <param name="Booked">The amount booked for the transaction, including charges.</param>
    /// <param name="Moved">The amount moved, without charges.</param>
    private sealed record Detail(
        PayoutId? Payout, string? Reference, Guid? File, IsoAmount? Booked, IsoAmount? Moved, IsoAmount? Instructed, decimal Charges, bool? IsCredit, bool IsReturn, string? Code, string? Text)
    {
        public IsoAmount? Principal => Moved ?? Booked ?? Instructed;

        public bool Disagrees => Booked is { } booked && Moved is { } moved && booked.Currency == moved.Currency && booked.Value != moved.Value && Math.Abs(booked.Value - moved.Value) != Charges;
    }

    private sealed record Entry(
        IsoAmount Amount, bool IsCredit, bool IsReversal, string? Status, decimal Charges, IReadOnlyList<XElement> Batches, IReadOnlyList<Detail> Details)
    {
        public bool IsBooked => Status == "BOOK";

        /// <summary>What does not add up inside the entry, as a sentence; null when nothing is wrong.</summary>
        public string? Problem(bool countsOwn = true)
        {
            foreach (var batch in Batches)
            {
                if (countsOwn && Batches.Count == 1 && IsoXml.Count(batch, "NbOfTxs") is { } count && Details.Count > 0 && count != Details.Count)
                {
                    return $"The batch counts {count} transactions and lists {Details.Count}.";
                }

                if (Batches.Count == 1 && IsoXml.Amount(batch, "TtlAmt") is { } total && total.Currency == Amount.Currency && !Explains(total.Value - Amount.Value, 0))
                {
                    return "The total of the batch is not the amount of the entry.";
                }
            }

            // The instructed amount counts if the bank gives no other.
            var parts = Details.Select(d => (Detail: d, Amount: d.Booked ?? d.Moved ?? d.Instructed))
                .Where(p => p.Amount is not null).ToList();
            if (parts.Count == 0 || parts.Any(p => p.Amount!.Value.Currency != Amount.Currency))
            {
                return null;
            }

            var sum = parts.Sum(p => (p.Detail.IsCredit ?? IsCredit) == IsCredit ? p.Amount!.Value.Value : -p.Amount!.Value.Value);
            var charges = Details.Sum(d => d.Charges);
            return (parts.Count < Details.Count ? sum <= Amount.Value + Charges + charges : Explains(sum - Amount.Value, charges))
                ? null
                : "The amounts of the transactions do not add up to the entry.";
        }

        private bool Explains(decimal difference, decimal ofDetails) => Math.Abs(difference) is var gap && (gap == 0 || gap == Charges || gap == ofDetails || gap == Charges + ofDetails);
    }
}
