using Microsoft.Extensions.DependencyInjection;

namespace Payments.TestHooks.Bugs;

/// <summary>
/// Deliberate bugs, one at a time, with which fault runs prove that their oracle finds such bugs. <see cref="Variable"/> names the bug of a
/// process.
/// </summary>
public static class Mutations
{
    public const string Variable = "PAYMENTS_MUTATION";

    private static readonly Dictionary<string, Action<IServiceCollection>> ByName = new(StringComparer.Ordinal)
    {
        ["skip_dedupe"] = SkipDedupe.AddTo,
        ["post_before_commit"] = PostBeforeCommit.AddTo,
        ["retry_unknown"] = RetryUnknown.AddTo,
        ["lose_outbox"] = LoseOutbox.AddTo,
        ["double_refund"] = DoubleRefund.AddTo,
        ["forget_file_line"] = ForgetFileLine.AddTo,
        ["forget_webhook"] = ForgetWebhook.AddTo,
        ["pay_twice"] = PayTwice.AddTo,
    };

    public static IReadOnlyCollection<string> All => ByName.Keys;

    internal static void Apply(string mutation, IServiceCollection services)
    {
        if (!ByName.TryGetValue(mutation, out var add))
            throw new InvalidOperationException($"{Variable} is '{mutation}'; it must be one of {string.Join(", ", All)}.");
        add(services);
    }
}
