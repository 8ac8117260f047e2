using System.Diagnostics;
using Npgsql;
using Payments.Domain.Ledger;
using Payments.Domain.Providers;

namespace Payments.Domain.Observability;

/// <summary>
/// The steps of a payment as diagnostic events: each is written between two steps of a charge, capture, cancel or refund, to the listener "Payments".
/// Without a subscriber a step costs one comparison and allocates nothing. A subscriber runs inside the step, before the payment goes on.
/// </summary>
internal static class PaymentSteps
{
    public const string ListenerName = "Payments";

    /// <summary>
    /// The intent is written, but not yet committed. A charge's intent is one statement that commits by itself. Its event comes before that
    /// statement.
    /// </summary>
    public const string IntentWritten = "intent_written";

    /// <summary>The intent is committed. The provider has heard nothing.</summary>
    public const string IntentCommitted = "intent_committed";

    /// <summary>The provider has answered. The answer is not yet written down.</summary>
    public const string Answered = "answered";

    /// <summary>The consequences of the answers are decided. Nothing of them is written.</summary>
    public const string OutcomeDecided = "outcome_decided";

    /// <summary>The outcome is committed. The caller has heard nothing.</summary>
    public const string OutcomeCommitted = "outcome_committed";

    /// <summary>A batch of lines of a dispute file is read. Nothing of it is applied. The content is the list of their updates.</summary>
    public const string DisputeLinesRead = "dispute_lines_read";

    private static readonly DiagnosticListener Listener = new(ListenerName);

    /// <summary>Whether the step has a subscriber. Ask before an event's content is put together.</summary>
    public static bool IsObserved(string step) => Listener.IsEnabled() && Listener.IsEnabled(step);

    public static void Reached(string step, PaymentOperation operation)
    {
        if (IsObserved(step))
            Reached(step, new PaymentStep([operation]));
    }

    public static void Reached(string step, object content) => Listener.Write(step, content);
}

/// <summary>The content of a payment's diagnostic event.</summary>
/// <param name="Operations">The operations that reached the step together.</param>
internal sealed record PaymentStep(IReadOnlyList<PaymentOperation> Operations)
{
    /// <summary>The transaction in which the step happens; null outside of one.</summary>
    public NpgsqlTransaction? Transaction { get; init; }

    /// <summary>The journals that the outcome posts next; null at every other step.</summary>
    public IList<Journal>? Journals { get; init; }
}
