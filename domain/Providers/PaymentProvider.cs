using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain.Providers;

/// <summary>The operations of a provider.</summary>
public enum PaymentOperation
{
    /// <summary>Authorize an amount and, if requested, capture it.</summary>
    Charge,

    /// <summary>Take an authorized amount, or a part of it.</summary>
    Capture,

    /// <summary>Give back what is left of an authorized amount.</summary>
    Cancel,

    /// <summary>Return a captured amount, or a part of it.</summary>
    Refund,
}

/// <summary>
/// Our reference and idempotency key of an attempt at a provider. The text also holds the merchant, so that an event or a file leads to the
/// attempt's row and shard without a search.
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

/// <summary>One operation at a provider, with everything that is needed to send it, repeat it or look it up.</summary>
/// <param name="Token">The provider's token of the payment method. Only for <see cref="PaymentOperation.Charge"/>.</param>
/// <param name="CaptureNow">Whether a charge is captured with its authorization.</param>
/// <param name="PaymentReference">The provider's id of the payment. For all operations except the charge.</param>
/// <param name="IsFinal">Whether this is the last capture.</param>
/// <param name="Customer">The merchant's reference of the customer. Only for <see cref="PaymentOperation.Charge"/>.</param>
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

/// <summary>The result of an operation at a provider.</summary>
public enum PaymentResult
{
    /// <summary>The amount is held and not captured yet.</summary>
    Authorized,

    /// <summary>The operation is done. A charge is captured.</summary>
    Succeeded,

    /// <summary>The provider accepted the operation and reports the outcome later.</summary>
    Pending,

    /// <summary>The customer has to act first, for example authenticate at the redirect address.</summary>
    RequiresAction,

    /// <summary>The provider or the issuer refused. No money moved.</summary>
    Declined,

    /// <summary>It is certain that the provider never carried it out.</summary>
    NotSent,

    /// <summary>For a charge: it was canceled before anything, or anything more, was captured.</summary>
    Canceled,

    /// <summary>For a charge: it lapsed, and nothing, or nothing more, can be captured.</summary>
    Expired,

    /// <summary>
    /// The provider may have carried it out or not. Never treat it as a failure: the resolver asks the provider until it knows.
    /// </summary>
    Unknown,
}

/// <param name="Reference">The provider's id of the object that was created or changed.</param>
/// <param name="Detail">The provider's words, for operators. Never card data.</param>
public sealed record PaymentAnswer(
    PaymentResult Result, string? Reference = null, DeclineCode? Decline = null, string? RedirectUrl = null, CardDetails? Card = null, string? Detail = null)
{
    /// <summary>For an authorized charge: until when the provider holds the amount. Null if the provider does not say.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    public static PaymentAnswer Unknown(string detail) => new(PaymentResult.Unknown, Detail: detail);

    public static PaymentAnswer NotSent(string detail) => new(PaymentResult.NotSent, Detail: detail);

    public static PaymentAnswer Declined(DeclineCode code, string? detail = null, string? reference = null) => new(PaymentResult.Declined, reference, code, Detail: detail);
}

/// <summary>The parts of a card that may be shown. They are never enough to use it.</summary>
public sealed record CardDetails(string? Brand, string? Last4, string? Country);

/// <summary>The statement descriptors that a provider accepts.</summary>
/// <param name="Longest">In characters.</param>
/// <param name="Forbidden">The characters that the API accepts and the provider refuses.</param>
public sealed record DescriptorRule(int Longest, string Forbidden)
{
    /// <returns>The reason why the provider refuses it, or null if it accepts it.</returns>
    public string? Refuse(string provider, string descriptor) =>
        descriptor.Length > Longest ? $"The statement descriptor has {descriptor.Length} characters; {provider} takes at most {Longest}."
        : descriptor.FirstOrDefault(c => Forbidden.Contains(c, StringComparison.Ordinal)) is var wrong and not '\0'
            ? $"The statement descriptor contains '{wrong}', which {provider} does not take."
        : null;
}

/// <summary>
/// A provider. Implementations never throw because of a provider or the network. A time-out, a dropped connection or a server error after
/// sending is <see cref="PaymentResult.Unknown"/>.
/// </summary>
public interface IPaymentProvider
{
    /// <summary>The name in stored rows, settings and the webhook's address.</summary>
    string Name { get; }

    /// <summary>The statement descriptors that the provider's documentation allows. Null if it says nothing.</summary>
    DescriptorRule? Descriptors => null;

    /// <summary>Carries out the operation. The reference is the idempotency key, so a repeat has no second effect.</summary>
    Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct);

    /// <summary>
    /// The result of an operation that was sent before. Null if the provider does not know it. <see cref="PaymentResult.Unknown"/> if the
    /// provider cannot be asked now.
    /// </summary>
    Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct);

    /// <summary>
    /// Asks about a charge whose customer has come back from the redirect, and finishes it if the provider waits for that. A repeat has no
    /// second effect.
    /// </summary>
    /// <param name="result">The text that the provider appended to the return URL for this purpose. Null if there is none.</param>
    async Task<PaymentAnswer> CompleteAsync(PaymentRequest request, string? result, CancellationToken ct) =>
        await FindAsync(request, ct) ?? PaymentAnswer.Unknown("The provider has not heard of it yet.");
}

/// <summary>The providers of this installation by name.</summary>
public sealed class PaymentProviders
{
    private readonly Dictionary<string, IPaymentProvider> _byName;
    private readonly IReadOnlyDictionary<string, Mode> _modes;
    private readonly Dictionary<Mode, string> _defaults = [];

    /// <param name="defaultName">The provider of live charges without a matching routing rule. Null means the first provider.</param>
    /// <param name="testDefaultName">
    /// The provider of test charges without a matching routing rule. Null means the default for live charges.
    /// </param>
    /// <param name="modes">The mode of each provider that takes payments of one mode only.</param>
    /// <exception cref="InvalidOperationException">
    /// Two providers have the same name, or a default is not configured or takes only payments of the other mode.
    /// </exception>
    public PaymentProviders(
        IEnumerable<IPaymentProvider> providers, string? defaultName = null, string? testDefaultName = null,
        IReadOnlyDictionary<string, Mode>? modes = null)
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

    /// <summary>The provider of the charges of a mode that no routing rule matches.</summary>
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
    /// The reason why a statement descriptor cannot be used, or null. A charge may go to any provider, so every provider must accept it.
    /// </summary>
    public string? RefuseDescriptor(string descriptor, Mode mode) => _byName.Values
        .Where(provider => Serves(provider.Name, mode))
        .OrderBy(provider => provider.Name, StringComparer.Ordinal)
        .Select(provider => provider.Descriptors?.Refuse(provider.Name, descriptor))
        .FirstOrDefault(refusal => refusal is not null);

    /// <exception cref="InvalidOperationException">A stored row names a provider that is not configured here.</exception>
    public IPaymentProvider Get(string name) =>
        _byName.TryGetValue(name, out var provider) ? provider : throw new InvalidOperationException($"The provider '{name}' is not configured.");
}
