using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Observability;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: the ledger gets the transfer of a refund twice.</summary>
internal static class DoubleRefund
{
    public static void AddTo(IServiceCollection services) => PaymentEvents.Subscribe((step, content) =>
    {
        if (step != PaymentSteps.OutcomeDecided || content is not PaymentStep { Journals: { } journals })
            return;
        for (var i = 0; i < journals.Count; i++)
        {
            if (journals[i].Kind == "refund")
                journals[i] = journals[i] with { Transfers = [.. journals[i].Transfers, journals[i].Transfers[0]] };
        }
    });
}
