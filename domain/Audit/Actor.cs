namespace Payments.Domain.Audit;

/// <summary>The actor of an action, as the audit log stores it.</summary>
/// <param name="Name">
/// <c>platform/NAME</c> for a platform key, the key's id for a merchant's key, <c>system/NAME</c> for the app itself.
/// </param>
/// <param name="RequestId">The request that caused the action; null if none did.</param>
public readonly record struct Actor(string Name, string? RequestId = null)
{
    public const string PlatformPrefix = "platform/";

    public static Actor Platform(string name, string? requestId = null) => new(PlatformPrefix + name, requestId);

    /// <summary>The app itself, such as a timer.</summary>
    public static Actor System(string name) => new("system/" + name);

    public override string ToString() => Name;
}
