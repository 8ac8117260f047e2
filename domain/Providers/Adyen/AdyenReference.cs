namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// What Adyen is given as <c>reference</c> and its notifications bring back as <c>merchantReference</c> (at most 80 characters): the attempt's reference, and for a
/// payment that Adyen captures by itself a mark that says so. Without it the notification of such an authorization would leave the charge waiting
/// for a capture of which Adyen tells nothing.
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
