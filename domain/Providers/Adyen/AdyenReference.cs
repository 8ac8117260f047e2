namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// The <c>reference</c> of a request to Adyen, which its notifications carry as <c>merchantReference</c> (at most 80 characters). It is the
/// attempt's reference, with a mark if Adyen captures the payment by itself. Without the mark, the charge would wait after its
/// authorization for a capture that Adyen never reports.
/// </summary>
internal static class AdyenReference
{
    private const string CapturesItself = "-auto";

    public static string Of(PaymentRequest request) =>
        request is { Operation: PaymentOperation.Charge, CaptureNow: true } ? $"{request.Reference}{CapturesItself}" : request.Reference.ToString();

    public static bool TryParse(string? text, out AttemptReference reference, out bool capturesItself)
    {
        capturesItself = text?.EndsWith(CapturesItself, StringComparison.Ordinal) is true;
        return AttemptReference.TryParse(capturesItself ? text![..^CapturesItself.Length] : text, out reference);
    }
}
