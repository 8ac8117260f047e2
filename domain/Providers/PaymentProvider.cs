using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain.Providers;

/// <summary>What a provider is asked to do.</summary>
public enum PaymentOperation
{
    /// <summary>Authorize an amount and, when asked, capture it.</summary>
    Charge,

    /// <summary>Take an authorized amount, or part of it.</summary>
    Capture,

    /// <summary>Give an authorized amount, or what is left of it, back.</summary>
    Cancel,

    /// <summary>Return a captured amount, or part of it.</summary>
    Refund,
}

/// <summary>
/// Our name for one attempt at a provider: its idempotency key and its reference there. The text holds the merchant too, so that
/// whatever comes back, in a webhook or a file, names the attempt's row and shard without a search.
/// </summary>
public readonly record struct AttemptReference(MerchantId Merchant, AttemptId Attempt)
{
    private const string Prefix = "pf_";
    private const int Length = 3 + 32 + 1 + 32;

    public override string ToString() => $"{Prefix}{Merchant.Value:N}_{Attempt.Value:N}";

    public static bool TryParse([NotNullWhen(true)] string? text, out AttemptReference reference)
    {
        reference = default;
        if (text is not { Length: Length } || !text.StartsWith(Prefix, StringComparison.Ordinal) || text[35] != '_')
            return false;
        if (!Guid.TryParseExact(text.AsSpan(3, 32), "N", out var merchant) || !Guid.TryParseExact(text.AsSpan(36), "N", out var attempt))
            return false;
        reference = new AttemptReference(new MerchantId(merchant), new AttemptId(attempt));
        return true;
    }
}

/// <summary>One operation to be carried out, complete enough to be repeated or looked up.</summary>
/// <param name="Token">The provider's token of the payment method; only for <see cref="PaymentOperation.Charge"/>.</param>
/// <param name="CaptureNow">Whether a charge is captured with its authorization.</param>
/// <param name="PaymentReference">The provider's id of the payment; for all operations but the charge.</param>
/// <param name="IsFinal">Whether nothing more will be captured after this capture.</param>
/// <param name="Customer">The merchant's name for the customer; only for <see cref="PaymentOperation.Charge"/>.</param>
public sealed record PaymentRequest(
    PaymentOperation Operation,
    AttemptReference Reference,
    Money Amount,
    string? Token,
    bool CaptureNow,
    string? PaymentReference,
    bool IsFinal,
    string? StatementDescriptor,
    string? ReturnUrl,
    string? Customer = null);

/// <summary>What became of an operation at a provider.</summary>
public enum PaymentResult
{
    /// <summary>The amount is held, not yet taken.</summary>
    Authorized,

    /// <summary>The operation is done; a charge is captured.</summary>
    Succeeded,

    /// <summary>The provider took it on and will tell the end later.</summary>
    Pending,

    /// <summary>The customer has to do something first: authenticate at the redirect address.</summary>
    RequiresAction,

    /// <summary>The provider or the issuer said no; nothing was moved.</summary>
    Declined,

    /// <summary>It is certain that the provider never carried it out.</summary>
    NotSent,

    /// <summary>Of a charge: it was given back, or given up, before anything (more) was captured.</summary>
    Canceled,

    /// <summary>Of a charge: it lapsed, and nothing (more) can be captured.</summary>
    Expired,

    /// <summary>It may or may not have been carried out. Never read as a failure; the provider is asked until it knows.</summary>
    Unknown,
}

/// <param name="Reference">The provider's id of what was made or changed.</param>
/// <param name="Detail">For operators: what the provider said. Never card data.</param>
public sealed record PaymentAnswer(
    PaymentResult Result, string? Reference = null, DeclineCode? Decline = null, string? RedirectUrl = null, CardDetails? Card = null, string? Detail = null)
{
    /// <summary>Of a charge that is authorized: until when the provider holds the amount. Null: it does not say.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    public static PaymentAnswer Unknown(string detail) => new(PaymentResult.Unknown, Detail: detail);

    public static PaymentAnswer NotSent(string detail) => new(PaymentResult.NotSent, Detail: detail);

    public static PaymentAnswer Declined(DeclineCode code, string? detail = null, string? reference = null) => new(PaymentResult.Declined, reference, code, Detail: detail);
}

/// <summary>What is shown of a card: never enough to use it.</summary>
public sealed record CardDetails(string? Brand, string? Last4, string? Country);

/// <summary>The statement descriptors that a provider takes.</summary>
/// <param name="Longest">In characters.</param>
/// <param name="Forbidden">Characters that the provider refuses, of those that the API takes.</param>
public sealed record DescriptorRule(int Longest, string Forbidden)
{
    /// <returns>Why the provider refuses it; null when it does not.</returns>
    public string? Refuse(string provider, string descriptor) =>
        descriptor.Length > Longest ? $"The statement descriptor has {descriptor.Length} characters; {provider} takes at most {Longest}."
        : descriptor.FirstOrDefault(c => Forbidden.Contains(c, StringComparison.Ordinal)) is var wrong and not '\0'
            ? $"The statement descriptor contains '{wrong}', which {provider} does not take."
        : null;
}

/// <summary>
/// A card processor. Implementations never throw for what a processor or network does: a time-out, a dropped connection or a server error
/// after sending is <see cref="PaymentResult.Unknown"/>.
/// </summary>
public interface IPaymentProvider
{
    /// <summary>The name in stored rows, settings and the webhook's address.</summary>
    string Name { get; }

    /// <summary>Which statement descriptors the provider documents that it takes; null where it says nothing.</summary>
    DescriptorRule? Descriptors => null;

    /// <summary>Carries the operation out. The reference is the idempotency key: asking again has no second effect.</summary>
    Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct);

    /// <summary>
    /// What became of an operation sent before; null when the provider has never heard of it, <see cref="PaymentResult.Unknown"/> when it cannot be asked now.
    /// </summary>
    Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct);

    /// <summary>
    /// Asks how a charge stands whose customer has come back from the redirect, and finishes it where the provider waits for that. Repeated, it has no second effect.
    /// </summary>
    /// <param name="result">What the provider appended to the return address for this purpose; null when there is none.</param>
    async Task<PaymentAnswer> CompleteAsync(PaymentRequest request, string? result, CancellationToken ct) =>
        await FindAsync(request, ct) ?? PaymentAnswer.Unknown("The provider has not heard of it yet.");
}

/// <summary>The providers of this installation by name.</summary>
public sealed class PaymentProviders
{
    private readonly Dictionary<string, IPaymentProvider> _byName;
    private readonly IReadOnlyDictionary<string, Mode> _modes;
    private readonly Dictionary<Mode, string> _defaults = [];

    /// <param name="defaultName">Takes the live charges of merchants without routing rules; null: the first.</param>
    /// <param name="testDefaultName">Likewise for test charges; null: the same.</param>
    /// <param name="modes">The mode of each provider that takes payments of one mode only.</param>
    /// <exception cref="InvalidOperationException">Two providers have one name, or a default is not there or takes payments of the other
    /// mode.</exception>
    public PaymentProviders(
        IEnumerable<IPaymentProvider> providers, string? defaultName = null, string? testDefaultName = null, IReadOnlyDictionary<string,
            Mode>? modes = null)
    {
        _modes = modes ?? new Dictionary<string, Mode>();
        _byName = new(StringComparer.Ordinal);
        foreach (var provider in providers)
        {
            if (!_byName.TryAdd(provider.Name, new MeasuredProvider(provider)))
                throw new InvalidOperationException($"Two providers have the name '{provider.Name}'. Rename one of them.");
            defaultName ??= provider.Name;
        }

        SetDefault(Mode.Live, "Providers__Default", defaultName);
        SetDefault(Mode.Test, "Providers__TestDefault", testDefaultName ?? defaultName);
    }

    /// <summary>Takes the charges of a mode that no routing rule sends elsewhere.</summary>
    public string DefaultOf(Mode mode) => _defaults[mode];

    /// <summary>The providers that take payments of the mode, in the order of their names.</summary>
    public IEnumerable<string> NamesOf(Mode mode) => _byName.Keys.Where(name => Serves(name, mode)).Order(StringComparer.Ordinal);

    /// <summary>Whether the provider is configured and takes payments of the mode.</summary>
    public bool Serves(string name, Mode mode) => _byName.ContainsKey(name) && (!_modes.TryGetValue(name, out var only) || only == mode);

    private void SetDefault(Mode mode, string setting, string? name)
    {
        if (name is null || !Serves(name, mode))
        {
            var (payments, names) = (mode == Mode.Live ? "live payments" : "test payments", string.Join(", ", NamesOf(mode)));
            throw new InvalidOperationException($"{setting} must be a provider of {payments} ({names}), but is '{name}'.");
        }

        _defaults[mode] = name;
    }

    /// <summary>
    /// Why a statement descriptor cannot be used: a charge may go to any of the providers, so that every one has to take it. Null where
    /// it can.
    /// </summary>
    public string? RefuseDescriptor(string descriptor) => _byName.Values
        .OrderBy(provider => provider.Name, StringComparer.Ordinal)
        .Select(provider => provider.Descriptors?.Refuse(provider.Name, descriptor))
        .FirstOrDefault(refusal => refusal is not null);

    /// <exception cref="InvalidOperationException">A stored row names a provider that is not configured here.</exception>
    public IPaymentProvider Get(string name) =>
        _byName.TryGetValue(name, out var provider) ? provider : throw new InvalidOperationException($"The provider '{name}' is not configured.");
}
