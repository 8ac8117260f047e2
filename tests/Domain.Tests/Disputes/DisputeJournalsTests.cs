using Payments.Domain.Balances;
using Payments.Domain.Disputes;
using Payments.Domain.Pricing;
using static Payments.Domain.Disputes.DisputeStage;
using static Payments.Domain.Disputes.DisputeStatus;

namespace Payments.Domain.Tests.Disputes;

/// <summary>The lines of the ledger on each path. The charge is EUR 100.00; fees are 15.00, then 20.00 more, refunded when won unless said.</summary>
public sealed class DisputeJournalsTests
{
    [Theory]
    [InlineData(DisputeEventKind.Created, "dispute.created")]
    [InlineData(DisputeEventKind.Updated, "dispute.updated")]
    [InlineData(DisputeEventKind.FundsWithdrawn, "dispute.funds_withdrawn")]
    [InlineData(DisputeEventKind.FundsReinstated, "dispute.funds_reinstated")]
    [InlineData(DisputeEventKind.DueSoon, "dispute.due_soon")]
    [InlineData(DisputeEventKind.Closed, "dispute.closed")]
    public void EventType_EveryKind_HasTheNameOfTheContract(DisputeEventKind kind, string expected)
    {
        Assert.Equal(expected, DisputeDecider.EventType(kind));
        Assert.Contains(expected, Payments.Domain.Messaging.EventTypes.OfMerchants);
    }

    private const string Opened = "available -> disputed 100.00 EUR; available -> platform/fees 15.00 EUR";
    private const string Reinstated = "disputed -> available 100.00 EUR; platform/fees -> available 15.00 EUR";
    private static readonly DisputeUpdate Needs = Any.Update(Chargeback, NeedsResponse);

    public static TheoryData<string, DisputeUpdate[], string> Paths() => new()
    {
        { "early warning", [Any.Update(EarlyWarning, WarningNeedsResponse)], "" },
        { "inquiry closed", [Any.Update(Inquiry, WarningNeedsResponse), Any.Update(Inquiry, WarningClosed, 5)], "" },
        { "early warning prevented", [Any.Update(EarlyWarning, WarningNeedsResponse), Any.Update(EarlyWarning, Prevented, 5)], "" },
        { "inquiry becomes chargeback", [Any.Update(Inquiry, WarningNeedsResponse), Needs], Opened },
        { "opened", [Needs], Opened },
        { "under review moves nothing more", [Needs, Any.Update(Chargeback, UnderReview, 5)], Opened },
        { "expired, then confirmed as lost", [Needs, Any.Update(Chargeback, Expired, 5), Any.Update(Chargeback, Lost, 6)], $"{Opened}; disputed -> processor/sandbox/clearing 100.00 EUR" },
        { "expired, but answered elsewhere", [Needs, Any.Update(Chargeback, Expired, 5), Any.Update(Chargeback, UnderReview, 6)],
            $"{Opened}; disputed -> processor/sandbox/clearing 100.00 EUR; processor/sandbox/clearing -> disputed 100.00 EUR" },
        { "won", [Needs, Any.Update(Chargeback, Won, 30)], $"{Opened}; {Reinstated}" },
        { "lost", [Needs, Any.Update(Chargeback, Lost, 30)], $"{Opened}; disputed -> processor/sandbox/clearing 100.00 EUR" },
        { "accepted, then confirmed as lost", [Needs, Any.Update(Chargeback, Accepted, 3), Any.Update(Chargeback, Lost, 30)], $"{Opened}; disputed -> processor/sandbox/clearing 100.00 EUR" },
        { "only the verdict was told: won", [Any.Update(Chargeback, Won, 30)], "" },
        { "only the verdict was told: lost", [Any.Update(Chargeback, Lost, 30)], $"{Opened}; disputed -> processor/sandbox/clearing 100.00 EUR" },
        { "partly won", [Needs, Any.Update(Chargeback, Won, 30, returned: Any.Eur(6000))],
            $"{Opened}; disputed -> available 60.00 EUR; platform/fees -> available 15.00 EUR; disputed -> processor/sandbox/clearing 40.00 EUR" },
        { "lost, overturned", [Needs, Any.Update(Chargeback, Lost, 30), Any.Update(Chargeback, Won, 40)],
            $"{Opened}; disputed -> processor/sandbox/clearing 100.00 EUR; processor/sandbox/clearing -> disputed 100.00 EUR; {Reinstated}" },
        { "won, second withdrawal at pre-arbitration, lost", [Needs, Any.Update(Chargeback, Won, 30), Any.Update(PreArbitration, NeedsResponse, 60), Any.Update(PreArbitration, Lost, 90)],
            $"{Opened}; {Reinstated}; available -> disputed 100.00 EUR; available -> platform/fees 35.00 EUR; disputed -> processor/sandbox/clearing 100.00 EUR" },
        { "pre-arbitration while still held withdraws nothing twice", [Needs, Any.Update(PreArbitration, NeedsResponse, 60)],
            $"{Opened}; available -> platform/fees 20.00 EUR" },
        { "arbitration", [Needs, Any.Update(Arbitration, UnderReview, 60)], $"{Opened}; available -> platform/fees 520.00 EUR" },
        { "amount corrected downwards", [Needs, Any.Update(Chargeback, UnderReview, 5, Any.Eur(7000))], $"{Opened}; disputed -> available 30.00 EUR" },
        { "amount above the charge", [Any.Update(Chargeback, NeedsResponse, 0, Any.Eur(12500))], "available -> disputed 125.00 EUR; available -> platform/fees 15.00 EUR" },
        { "another currency, processor's figure in ours", [Any.Update(Chargeback, NeedsResponse, 0, Any.Usd(11000), merchantAmount: Any.Eur(10210)), Any.Update(Chargeback, Lost, 9, Any.Usd(11000))],
            "available -> disputed 102.10 EUR; available -> platform/fees 15.00 EUR; disputed -> fx/position 102.10 EUR; fx/position -> processor/sandbox/clearing 110.00 USD" },
        { "another currency, no figure: the merchant bears the charge", [Any.Update(Chargeback, NeedsResponse, 0, Any.Usd(11000)), Any.Update(Chargeback, Lost, 9, Any.Usd(11000))],
            "available -> disputed 100.00 EUR; available -> platform/fees 15.00 EUR; disputed -> fx/position 100.00 EUR; fx/position -> processor/sandbox/clearing 110.00 USD" },
        { "another currency, partly won", [Any.Update(Chargeback, NeedsResponse, 0, Any.Usd(11000)), Any.Update(Chargeback, Won, 9, Any.Usd(11000), returned: Any.Usd(5500))],
            "available -> disputed 100.00 EUR; available -> platform/fees 15.00 EUR; disputed -> available 50.00 EUR; platform/fees -> available 15.00 EUR; disputed -> fx/position 50.00 EUR; fx/position -> processor/sandbox/clearing 55.00 USD" },
        { "settled in the wrong currency, corrected", [Any.Update(Chargeback, Lost, 9, Any.Usd(11000)), Any.Update(Chargeback, Lost, 10, Any.Eur(10000))],
            "available -> disputed 100.00 EUR; available -> platform/fees 15.00 EUR; disputed -> fx/position 100.00 EUR; fx/position -> processor/sandbox/clearing 110.00 USD; "
            + "fx/position -> disputed 100.00 EUR; processor/sandbox/clearing -> fx/position 110.00 USD; disputed -> processor/sandbox/clearing 100.00 EUR" },
    };

    [Theory]
    [MemberData(nameof(Paths))]
    public void For_EachPath_PostsTheseLines(string path, DisputeUpdate[] updates, string lines)
    {
        var (dispute, movements, _) = Any.Play(updates);
        Assert.True(lines == Any.Lines(movements), $"{path}: {Any.Lines(movements)}");
        Assert.Equal(movements.Count, dispute.Journals);
    }

    [Fact]
    public void For_PlanThatKeepsTheFee_RefundsNoneWhenWon()
    {
        var (dispute, movements, _) = Any.Play([Needs, Any.Update(Chargeback, Won, 30)], Any.Fees with { RefundedWhenWon = false });
        Assert.Equal($"{Opened}; disputed -> available 100.00 EUR", Any.Lines(movements));
        Assert.Equal(Any.Eur(1500), dispute.Posted.Fee);
    }

    [Fact]
    public void For_PlanWithoutFees_PostsTheAmountAlone()
    {
        var (_, movements, _) = Any.Play([Needs], DisputeFees.None);
        Assert.Equal("available -> disputed 100.00 EUR", Any.Lines(movements));
    }

    [Fact]
    public void For_EveryMovementOfTheBalance_HasItsTransaction()
    {
        var (_, movements, _) = Any.Play([Needs, Any.Update(Chargeback, Won, 30), Any.Update(PreArbitration, NeedsResponse, 60), Any.Update(PreArbitration, Lost, 90)]);
        var transactions = movements.Where(m => m.BalanceTransaction is not null).Select(m => m.BalanceTransaction!).ToList();
        Assert.Equal(
            [
                (BalanceTransactionType.Dispute, -10000), (BalanceTransactionType.DisputeFee, -1500),
                (BalanceTransactionType.DisputeReversal, 10000), (BalanceTransactionType.DisputeFeeRefund, 1500),
                (BalanceTransactionType.Dispute, -10000), (BalanceTransactionType.DisputeFee, -3500),
            ],
            transactions.Select(t => (t.Type, t.Net.MinorUnits)));
        Assert.Equal(Any.Balances(movements)["available EUR"], transactions.Sum(t => t.Net.MinorUnits));
        Assert.All(transactions, t => Assert.NotNull(t.ReleasedAt));
        Assert.Equal(DisputeMovementKind.Settled, movements[^1].Kind);
        Assert.Null(movements[^1].BalanceTransaction);
    }

    [Fact]
    public void Decide_EachChange_TellsItsEvents()
    {
        var (_, _, events) = Any.Play([Needs, Any.Update(Chargeback, UnderReview, 5), Any.Update(Chargeback, Won, 30)]);
        Assert.Equal(
            [
                DisputeEventKind.Created, DisputeEventKind.FundsWithdrawn,
                DisputeEventKind.Updated,
                DisputeEventKind.Updated, DisputeEventKind.FundsReinstated, DisputeEventKind.Closed,
            ],
            events);
    }
}
