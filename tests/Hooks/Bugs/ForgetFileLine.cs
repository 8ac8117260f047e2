using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Disputes;
using Payments.Domain.Observability;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: the import drops a line of each batch of a dispute file.</summary>
internal static class ForgetFileLine
{
    public static void AddTo(IServiceCollection services) => PaymentEvents.Subscribe((step, content) =>
    {
        if (step == PaymentSteps.DisputeLinesRead && content is IList<DisputeUpdate> { Count: > 0 } updates)
            updates.RemoveAt(updates.Count / 2);
    });
}
