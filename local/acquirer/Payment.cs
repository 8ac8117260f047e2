namespace Payments.Acquirer;

internal enum PaymentStatus
{
    RequiresAction,
    Authorized,
    Captured,
    Declined,
    Canceled,
    Expired,
}

internal enum OperationKind
{
    Capture,
    Cancel,
    Refund,
}

internal enum OperationStatus
{
    Pending,
    Succeeded,
    Failed,
}

/// <summary>A capture, cancel or refund of a payment.</summary>
internal sealed class Operation(Payment payment, Guid key, OperationKind kind, string reference, long amount, OperationStatus status, DateTime createdAt)
{
    public Payment Payment { get; } = payment;
    public Guid Key { get; } = key;
    public OperationKind Kind { get; } = kind;
    public string Reference { get; } = reference;
    public long Amount { get; } = amount;
    public OperationStatus Status { get; set; } = status;
    public string? FailureCode { get; set; }
    public DateTime CreatedAt { get; } = createdAt;

    public string Id => Ids.Text(
        Kind switch
        {
            OperationKind.Capture => Ids.Capture,
            OperationKind.Cancel => Ids.Cancel,
            OperationKind.Refund => Ids.Refund,
        },
        Key);
}

/// <summary>A card payment. Amounts are in minor units of its currency.</summary>
internal sealed class Payment(Guid key, JournalEntry created)
{
    private List<Operation>? _operations;

    public Guid Key { get; } = key;
    public string Id => Ids.Text(Ids.Payment, Key);
    public string Reference { get; } = created.Reference!;
    public long Amount { get; } = created.Amount!.Value;
    public string Currency { get; } = string.Intern(created.Currency!);
    public string Token { get; } = string.Intern(created.Token!);
    public bool CaptureNow { get; } = created.Capture!.Value;
    public string? StatementDescriptor { get; } = created.StatementDescriptor;
    public string? ReturnUrl { get; } = created.ReturnUrl;
    public string? Customer { get; } = created.Customer;
    public Dictionary<string, string>? Metadata { get; } = created.Metadata;
    public DateTime CreatedAt { get; } = created.At;
    public PaymentStatus Status { get; private set; }
    public string? DeclineCode { get; private set; }
    public long Authorized { get; private set; }
    public long Captured { get; private set; }
    public long Canceled { get; private set; }
    public long Refunded { get; private set; }
    public long RefundsPending { get; private set; }
    public IReadOnlyList<Operation> Operations => _operations ?? [];

    /// <summary>What can still be captured or released.</summary>
    public long Capturable => Status == PaymentStatus.Authorized ? Authorized - Captured - Canceled : 0;

    /// <summary>What a cancel without an amount releases.</summary>
    public long Cancelable => Status == PaymentStatus.RequiresAction ? Amount : Capturable;

    /// <summary>What can still be refunded; refunds under way count as done until they fail.</summary>
    public long Refundable => Captured - Refunded - RefundsPending;

    /// <summary>The issuer's or the cardholder's verdict: the first one of a payment, or the one after 3-D Secure.</summary>
    public void Settle(PaymentStatus status, string? declineCode)
    {
        Status = status;
        DeclineCode = declineCode;
        if (status is PaymentStatus.Authorized or PaymentStatus.Captured)
            Authorized = Amount;
        if (status is PaymentStatus.Captured)
            Captured = Amount;
    }

    public Operation Add(Guid key, OperationKind kind, JournalEntry entry)
    {
        var amount = entry.Amount!.Value;
        var operation = new Operation(this, key, kind, entry.Reference!, amount, entry.OperationStatus!.Value, entry.At) { FailureCode = entry.Code };
        (_operations ??= new(1)).Add(operation);
        switch (kind)
        {
            case OperationKind.Capture:
                Captured += amount;
                if (entry.Final == true)
                    Canceled += Authorized - Captured - Canceled;
                break;
            case OperationKind.Cancel:
                Canceled += amount;
                if (Status == PaymentStatus.RequiresAction)
                    Status = PaymentStatus.Canceled;
                break;
            case OperationKind.Refund when operation.Status == OperationStatus.Succeeded:
                Refunded += amount;
                break;
            case OperationKind.Refund when operation.Status == OperationStatus.Pending:
                RefundsPending += amount;
                break;
        }
        if (kind != OperationKind.Refund)
            CloseWhenNothingIsLeft(PaymentStatus.Canceled);
        return operation;
    }

    /// <summary>A refund ends, or one that had succeeded comes back; what failed can be asked for again.</summary>
    public void EndRefund(Operation refund, OperationStatus status, string? failureCode)
    {
        if (refund.Status == OperationStatus.Pending)
            RefundsPending -= refund.Amount;
        else if (refund.Status == OperationStatus.Succeeded)
            Refunded -= refund.Amount;
        refund.Status = status;
        refund.FailureCode = failureCode;
        if (status == OperationStatus.Succeeded)
            Refunded += refund.Amount;
    }

    /// <summary>The authorization lapses: what was not captured is released.</summary>
    public void Expire()
    {
        if (Status == PaymentStatus.Authorized)
            Canceled += Capturable;
        else
            Status = PaymentStatus.Expired;
        CloseWhenNothingIsLeft(PaymentStatus.Expired);
    }

    private void CloseWhenNothingIsLeft(PaymentStatus untouched)
    {
        if (Status == PaymentStatus.Authorized && Capturable == 0)
            Status = Captured > 0 ? PaymentStatus.Captured : untouched;
    }
}

/// <summary>What may be done to a payment. Each rule answers null, or why not.</summary>
internal static class PaymentRules
{
    public static Refusal? Capture(Payment payment, long amount) => payment.Status switch
    {
        PaymentStatus.Authorized when amount <= payment.Capturable => null,
        PaymentStatus.Authorized or PaymentStatus.Captured => new(422, "capture_exceeds_authorization", $"Only {payment.Capturable} of the authorization is left."),
        PaymentStatus.RequiresAction or PaymentStatus.Declined or PaymentStatus.Canceled or PaymentStatus.Expired => NotCapturable(payment),
    };

    public static Refusal? Cancel(Payment payment, long amount) => payment.Status switch
    {
        PaymentStatus.Authorized when amount <= payment.Capturable => null,
        PaymentStatus.RequiresAction when amount == payment.Amount => null,
        PaymentStatus.Authorized => new(422, "cancel_exceeds_authorization", $"Only {payment.Capturable} of the authorization is left."),
        PaymentStatus.RequiresAction => new(422, "cancel_not_whole", "A payment that awaits its cardholder is canceled as a whole."),
        PaymentStatus.Captured or PaymentStatus.Declined or PaymentStatus.Canceled or PaymentStatus.Expired =>
            new(409, "payment_not_cancelable", $"A payment that is {JsonText.Of(payment.Status)} has no authorization to release."),
    };

    public static Refusal? Refund(Payment payment, long amount) =>
        payment.Captured == 0 ? new(409, "payment_not_refundable", "Nothing of the payment was captured.")
        : amount > payment.Refundable ? new(422, "refund_exceeds_captured", $"Only {payment.Refundable} of the payment can still be refunded.")
        : null;

    private static Refusal NotCapturable(Payment payment) =>
        new(409, "payment_not_capturable", $"A payment that is {JsonText.Of(payment.Status)} cannot be captured.");
}
